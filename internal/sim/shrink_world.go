package sim

import (
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
)

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
			y.Window, y.Tail, y.KeepLog, y.SegmentSize, y.ChunkSize = p.Window, p.Tail, p.KeepLog, p.SegmentSize, p.ChunkSize
		},
	)
}

// calmCallers tries fewer callers, slower and more uniform ones, and fewer snapshots.
func (k *shrinker) calmCallers() {
	var fewer, slower, rarer []change
	for n := 1; n < k.best.Setup.Callers.PerReplica; n++ {
		fewer = append(fewer, func(x *Schedule) { x.Setup.Callers.PerReplica = n })
	}
	for _, ms := range []time.Duration{10_000, 3000, 1000, 300, 100, 30} {
		slower = append(slower, func(x *Schedule) { x.Setup.Callers.Think = max(x.Setup.Callers.Think, ms*time.Millisecond) })
	}
	for _, n := range []int{plain().SnapshotEvery, 1000, 300, 100} {
		rarer = append(rarer, func(x *Schedule) { x.Setup.SnapshotEvery = max(x.Setup.SnapshotEvery, n) })
	}
	k.first(fewer...)
	k.first(slower...)
	k.first(rarer...)
	if k.work == nil {
		k.each(
			func(x *Schedule) { x.Setup.Lists.Fill = 1 },
			func(x *Schedule) { x.Setup.Lists.Reads = 0 },
			func(x *Schedule) { x.Setup.Lists.Compares = 0 },
		)
	}
}

// plainSettings makes each other setting plain, or at least round, and tries small seeds.
func (k *shrinker) plainSettings() {
	plain := reflect.ValueOf(*plain())
	eachSetting(plain, "", func(name string, v reflect.Value) {
		if slices.Contains(otherwise, name) || k.best.setting(name).Interface() == v.Interface() {
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
var otherwise = []string{"Seed", "Replicas", "Qr", "Qv", "Trouble", "Callers.PerReplica", "Callers.Think", "SnapshotEvery",
	"Lists.Fill", "Lists.Reads", "Lists.Compares"}

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
