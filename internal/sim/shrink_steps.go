package sim

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
)

// drop returns a change that removes faults.
func drop(which func(f *fault.Fault) bool) change {
	return func(x *Schedule) {
		x.Faults = slices.DeleteFunc(x.Faults, func(f fault.Fault) bool { return which(&f) })
	}
}

// dropCall returns a change that removes calls.
func dropCall(which func(c *PlannedCall) bool) change {
	return func(x *Schedule) {
		x.Calls = slices.DeleteFunc(x.Calls, func(c PlannedCall) bool { return which(&c) })
	}
}

// lateCalls has the calls under way at the failure begin just then: faults that only delayed them do not matter.
func (k *shrinker) lateCalls() {
	v, waiting := k.report.Violation, map[int]time.Duration{} // by caller: it makes one call at a time
	for _, c := range k.report.Schedule.Calls {
		if c.Op == 0 || c.Op >= v.Op {
			waiting[c.Caller] = c.At
		}
	}
	k.first(func(x *Schedule) {
		for i := range x.Calls {
			if c := &x.Calls[i]; v.Op > 0 && !c.Final && waiting[c.Caller] == c.At {
				c.At = max(c.At, v.At)
			}
		}
	})
}

// compareOften has states compared after each command, so that the failure shows early, and few calls suffice.
func (k *shrinker) compareOften() {
	k.first(func(x *Schedule) { x.Setup.CompareEvery = 1 })
}

// cutTail removes the faults after the failure, and ends the time of faults there. A failure that shows after the
// healing may also show if the healing is earlier.
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

// dropCalls removes the calls after the failure, all but the last ones, all of a name, all of a caller, and then parts
// of them. It comes after dropFaults: with fewer faults another call may be the one that fails.
func (k *shrinker) dropCalls() {
	k.first(dropCall(func(c *PlannedCall) bool { return c.At > k.report.Violation.At }))
	var last, others []change
	for n := 0; n < len(k.best.Calls); n = max(2*n, 1) {
		last = append(last, func(x *Schedule) { x.Calls = x.Calls[len(x.Calls)-n:] })
	}
	k.first(last...)
	names, callers := map[string]bool{}, map[int]bool{}
	for i := range k.best.Calls {
		c := k.best.Calls[i]
		if !names[c.Name] {
			others = append(others, dropCall(func(d *PlannedCall) bool { return d.Name == c.Name }))
		}
		if !callers[c.Caller] {
			others = append(others, dropCall(func(d *PlannedCall) bool { return d.Caller == c.Caller }))
		}
		names[c.Name], callers[c.Caller] = true, true
	}
	k.each(others...)
	k.dropParts(func() int { return len(k.best.Calls) }, func(x *Schedule, from, to int) {
		x.Calls = slices.Delete(x.Calls, from, min(to, len(x.Calls)))
	})
}

// dropFaults removes parts of the faults.
func (k *shrinker) dropFaults() {
	k.dropParts(func() int { return len(k.best.Faults) }, func(x *Schedule, from, to int) {
		x.Faults = slices.Delete(x.Faults, from, min(to, len(x.Faults)))
	})
}

// dropParts removes half of what the best schedule has many of, then a quarter, and so on down to single ones (delta
// debugging).
func (k *shrinker) dropParts(many func() int, remove func(x *Schedule, from, to int)) {
	for size := (many() + 1) / 2; size > 0; size /= 2 {
		for from := 0; from < many(); {
			var changes []change
			for at := from; at < many(); at += size {
				changes = append(changes, func(x *Schedule) { remove(x, at, at+size) })
			}
			i := k.first(changes...)
			if i < 0 {
				break
			}
			from += i * size // the new place of those that followed
		}
	}
}

// dropReplicas removes replicas and the faults that name them. Their callers go to others.
func (k *shrinker) dropReplicas() {
	var changes []change
	for n := 1; n <= k.best.Setup.Replicas; n++ {
		changes = append(changes, func(x *Schedule) { leave(x, n); x.Setup.Qr, x.Setup.Qv = 0, 0 })
		for by := range k.best.Setup.Replicas {
			if n < k.best.Setup.Replicas {
				changes = append(changes, func(x *Schedule) {
					fault.Rotate(x.Faults, by, x.Setup.Replicas)
					for i := range x.Calls {
						x.Calls[i].Host = (x.Calls[i].Host + x.Setup.Replicas - by) % x.Setup.Replicas
					}
					leave(x, n)
				})
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
	for i := range x.Calls {
		x.Calls[i].Host %= n
	}
	if p.Qr > 0 {
		p.Qr = min(p.Qr, n)
		p.Qv = min(max(p.Qv, n-p.Qr+1), n)
	}
	x.Faults = fault.AmongFirst(x.Faults, n)
}

// few is the number of faults or calls up to which each is simplified; before that other changes save more.
const few = 8

// simplifyFaults simplifies one fault after another in every respect.
func (k *shrinker) simplifyFaults() {
	if len(k.best.Faults) > few {
		return
	}
	for i := 0; i < len(k.best.Faults) && !k.over(); i++ {
		k.simplifyFault(i, k.untriggered)
		for _, simpler := range fault.Simplifications {
			k.simplifyFault(i, simpler)
		}
	}
}

// simplifyCalls has no caller give up, has all calls made by one caller, and makes their times round.
func (k *shrinker) simplifyCalls() {
	each := func(change func(c *PlannedCall)) change {
		return func(x *Schedule) {
			for i := range x.Calls {
				change(&x.Calls[i])
			}
		}
	}
	k.each(each(func(c *PlannedCall) { c.Cancel = 0 }), each(func(c *PlannedCall) { c.Host, c.Caller = 0, 1 }))
	for _, unit := range []time.Duration{time.Second, time.Second / 10, time.Millisecond} {
		if k.first(each(func(c *PlannedCall) { c.At = c.At.Truncate(unit) })) >= 0 {
			break
		}
	}
	for i := 0; i < min(len(k.best.Calls), few) && !k.over(); i++ {
		var changes []change
		for digits := 1; digits <= 4; digits++ {
			changes = append(changes, func(x *Schedule) { x.Calls[i].At = fault.Rounded(x.Calls[i].At, digits) })
		}
		k.first(changes...)
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
		if t != nil && t.Host == f.After.Host && t.When == f.After.When && t.Message == f.After.Message &&
			struck.At >= f.At {
			f.At, f.After = struck.At+time.Microsecond, nil
			return []fault.Fault{f}
		}
	}
	return nil
}

// plain returns the world that shrinking aims at. A setting that remains different matters.
func plain() *Setup {
	p := Calm(0)
	p.Network.Jitter, p.SnapshotEvery = 0, 1_000_000
	return p
}

// plainWorld makes the network, the times and the sizes plain.
func (k *shrinker) plainWorld() {
	p := plain()
	k.each(
		func(x *Schedule) { x.Setup.Network, x.Setup.Turn, x.Setup.Drift, x.Setup.ClockGap = p.Network, 0, 0, 0 },
		func(x *Schedule) {
			x.Setup.Save, x.Setup.Apply, x.Setup.Heartbeat, x.Setup.Trust = p.Save, p.Apply, p.Heartbeat, p.Trust
		},
		func(x *Schedule) {
			y := &x.Setup
			y.Window, y.Inbox, y.Tail, y.KeepLog = p.Window, p.Inbox, p.Tail, p.KeepLog
			y.SegmentSize, y.ChunkSize, y.PartSize = p.SegmentSize, p.ChunkSize, p.PartSize
		},
	)
}

// otherSnapshots tries no snapshots, and otherwise more of them, so that fewer calls lead to one.
func (k *shrinker) otherSnapshots() {
	changes := []change{func(x *Schedule) { x.Setup.SnapshotEvery = plain().SnapshotEvery }}
	for _, n := range []int{1, 2, 5, 10} {
		changes = append(changes, func(x *Schedule) { x.Setup.SnapshotEvery = min(x.Setup.SnapshotEvery, n) })
	}
	k.first(changes...)
}

// plainSettings makes each other setting plain, or at least round, and tries small seeds.
func (k *shrinker) plainSettings() {
	plain := reflect.ValueOf(*plain())
	eachSetting(plain, "", func(name string, v reflect.Value) {
		if slices.Contains(otherwise, name) || strings.HasPrefix(name, "Callers.") ||
			k.best.setting(name).Interface() == v.Interface() {
			return
		}
		changes := []change{func(x *Schedule) { x.setting(name).Set(v) }}
		for digits := 1; digits <= 3; digits++ {
			changes = append(changes, func(x *Schedule) { roundTo(x.setting(name), digits) })
		}
		k.first(changes...)
	})
	var seeds []change
	for seed := range uint64(8) {
		seeds = append(seeds, func(x *Schedule) { x.Setup.Seed = min(x.Setup.Seed, seed) })
	}
	k.first(seeds...)
}

// otherwise are the settings that other steps change.
var otherwise = []string{"Seed", "Replicas", "Qr", "Qv", "Trouble", "SnapshotEvery", "CompareEvery"}

// setting returns the field with that dotted name.
func (x *Schedule) setting(name string) (found reflect.Value) {
	eachSetting(reflect.ValueOf(&x.Setup).Elem(), "", func(n string, v reflect.Value) {
		if n == name {
			found = v
		}
	})
	return found
}

func roundTo(v reflect.Value, digits int) {
	switch {
	case v.CanInt():
		v.SetInt(fault.Rounded(v.Int(), digits))
	case v.CanFloat():
		f, _ := strconv.ParseFloat(strconv.FormatFloat(v.Float(), 'g', digits, 64), 64)
		v.SetFloat(f)
	}
}
