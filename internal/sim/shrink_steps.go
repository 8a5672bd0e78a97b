package sim

import (
	"slices"
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
)

// drop returns a change that removes faults.
func drop(which func(f *fault.Fault) bool) change {
	return func(x *Schedule) {
		x.Faults = slices.DeleteFunc(x.Faults, func(f fault.Fault) bool { return which(&f) })
	}
}

// cutTail removes the faults after the failure, and ends the time of faults there. A failure that
// shows after the healing may also show if the healing is earlier.
func (k *shrinker) cutTail() {
	k.first(drop(func(f *fault.Fault) bool { return f.At > k.report.Violation.At }))
	calm := k.report.Calm // before the time of faults
	at, trouble := k.report.Violation.At-calm, k.best.Setup.Trouble
	ends := []time.Duration{at}
	if at > trouble {
		var last time.Duration
		for _, f := range k.best.Faults {
			last = max(last, f.At-calm)
		}
		ends = []time.Duration{0, last, last + time.Second, trouble / 2, last + 5*time.Second, trouble / 4 * 3,
			trouble - time.Second, trouble - time.Second/10}
	}
	var changes []change
	for _, end := range ends {
		changes = append(changes, func(x *Schedule) { x.Setup.Trouble = min(x.Setup.Trouble, upToTenth(max(end, 0))) })
	}
	k.first(changes...)
}

// upToTenth rounds up to a tenth of a second.
func upToTenth(d time.Duration) time.Duration {
	const tenth = time.Second / 10
	return (d + tenth - 1) / tenth * tenth
}

// dropKinds removes all faults, all faults of a kind, and all faults of a replica.
func (k *shrinker) dropKinds() {
	changes := []change{drop(func(*fault.Fault) bool { return true })}
	for kind := range fault.Kinds {
		changes = append(changes, drop(func(f *fault.Fault) bool { return f.Kind == kind }))
	}
	for host := range k.best.Setup.Replicas {
		changes = append(changes, drop(func(f *fault.Fault) bool { return f.Host == host && !f.Kind.NamesNone() }))
	}
	k.each(changes...)
}

// dropFaults removes half of the faults, then a quarter, and so on down to single faults (delta
// debugging).
func (k *shrinker) dropFaults() {
	for size := (len(k.best.Faults) + 1) / 2; size > 0; size /= 2 {
		for from := 0; from < len(k.best.Faults); {
			var changes []change
			for at := from; at < len(k.best.Faults); at += size {
				changes = append(changes, func(x *Schedule) {
					x.Faults = slices.Delete(x.Faults, at, min(at+size, len(x.Faults)))
				})
			}
			i := k.first(changes...)
			if i < 0 {
				break
			}
			from += i * size // the new place of the faults that followed
		}
	}
}

// dropReplicas removes replicas and the faults that name them. The number of callers stays the same.
func (k *shrinker) dropReplicas() {
	var changes []change
	for n := 1; n <= k.best.Setup.Replicas; n++ {
		changes = append(changes, func(x *Schedule) { leave(x, n); x.Setup.Qr, x.Setup.Qv = 0, 0 })
		for by := range k.best.Setup.Replicas {
			if n < k.best.Setup.Replicas {
				changes = append(changes, func(x *Schedule) { fault.Rotate(x.Faults, by, x.Setup.Replicas); leave(x, n) })
			}
		}
	}
	k.first(changes...)
}

// leave removes all but the first n replicas.
func leave(x *Schedule, n int) {
	p := &x.Setup
	p.Callers.PerReplica = (p.Callers.PerReplica*p.Replicas + n - 1) / n
	p.Replicas = n
	if p.Qr > 0 {
		p.Qr = min(p.Qr, n)
		p.Qv = min(max(p.Qv, n-p.Qr+1), n)
	}
	x.Faults = fault.AmongFirst(x.Faults, n)
}

// few is the number of faults up to which each is simplified; before that other changes save more.
const few = 8

// simplifyFaults simplifies one fault after another in every respect.
func (k *shrinker) simplifyFaults() {
	if len(k.best.Faults) > few {
		return
	}
	for i := 0; i < len(k.best.Faults) && k.runs > 0; i++ {
		k.simplifyFault(i, k.untriggered)
		for _, simpler := range fault.Simplifications {
			k.simplifyFault(i, simpler)
		}
	}
}

func (k *shrinker) simplifyFault(i int, simpler func(fault.Fault) []fault.Fault) {
	var changes []change
	for _, f := range simpler(k.best.Faults[i]) {
		changes = append(changes, func(x *Schedule) { x.Faults[i] = f })
	}
	k.first(changes...)
}

// untriggered returns a fault that strikes by the clock, just after its trigger fired in the best run.
func (k *shrinker) untriggered(f fault.Fault) []fault.Fault {
	if f.After == nil {
		return nil
	}
	for _, struck := range k.report.Schedule.Faults {
		t := struck.After
		if t != nil && t.Host == f.After.Host && t.When == f.After.When && t.Message == f.After.Message && struck.At >= f.At {
			f.At, f.After = struck.At+time.Microsecond, nil
			return []fault.Fault{f}
		}
	}
	return nil
}
