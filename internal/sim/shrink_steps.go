package sim

import (
	"slices"
	"time"
)

// drop is a change that leaves faults out.
func drop(which func(f *Fault) bool) change {
	return func(x *Schedule) {
		x.Faults = slices.DeleteFunc(x.Faults, func(f Fault) bool { return which(&f) })
	}
}

// cutTail leaves out what comes after the failure. One that shows when all is healed may show as
// well if that is sooner.
func (k *shrinker) cutTail() {
	k.first(drop(func(f *Fault) bool { return f.At > k.report.Violation.At }))
	calm := k.report.Calm // after which the trouble begins
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

// dropKinds leaves out all faults, all of a kind, all that befall one replica.
func (k *shrinker) dropKinds() {
	changes := []change{drop(func(*Fault) bool { return true })}
	for kind := range kinds {
		changes = append(changes, drop(func(f *Fault) bool { return f.Kind == kind }))
	}
	for host := range k.best.Setup.Replicas {
		changes = append(changes, drop(func(f *Fault) bool { return f.Host == host && !f.Kind.ofAll() }))
	}
	k.each(changes...)
}

// dropFaults is delta debugging on the faults: it leaves out halves of them, then quarters, and in
// the end one at a time.
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
			from += i * size // where those now are that followed
		}
	}
}

// dropReplicas leaves out replicas, and the faults that name them. Those that stay have as many
// callers as all had.
func (k *shrinker) dropReplicas() {
	var changes []change
	for n := 1; n <= k.best.Setup.Replicas; n++ {
		changes = append(changes, func(x *Schedule) { leave(x, n); x.Setup.Qr, x.Setup.Qv = 0, 0 })
		for by := range k.best.Setup.Replicas {
			if n < k.best.Setup.Replicas {
				changes = append(changes, func(x *Schedule) { turn(x, by); leave(x, n) })
			}
		}
	}
	k.first(changes...)
}

// turn has what befalls a replica befall one that comes before it.
func turn(x *Schedule, by int) {
	n := x.Setup.Replicas
	before := func(host *int) { *host = (*host + n - by) % n }
	for i := range x.Faults {
		f := &x.Faults[i]
		if !f.Kind.ofAll() {
			before(&f.Host)
		}
		if f.Kind.hasTo() && f.To >= 0 {
			before(&f.To)
		}
		if f.After != nil {
			before(&f.After.Host)
		}
		if f.Kind.chooses() {
			f.N = (f.N>>by | f.N<<(n-by)) & (1<<n - 1)
		}
	}
}

// leave leaves the first n replicas.
func leave(x *Schedule, n int) {
	p := &x.Setup
	p.Callers.PerReplica = (p.Callers.PerReplica*p.Replicas + n - 1) / n
	p.Replicas = n
	if p.Qr > 0 {
		p.Qr = min(p.Qr, n)
		p.Qv = min(max(p.Qv, n-p.Qr+1), n)
	}
	drop(func(f *Fault) bool { return f.Host >= n || f.To >= n || f.After != nil && f.After.Host >= n })(x)
	for i := range x.Faults {
		if f := &x.Faults[i]; f.Kind.chooses() {
			f.N &= 1<<n - 1
		}
	}
}

// chooses reports whether the kind's N says which replicas are on one side.
func (k Kind) chooses() bool {
	switch k {
	case Split, SplitOneWay, Bridge:
		return true
	}
	return false
}
