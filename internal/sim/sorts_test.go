package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// A run has the sorts of faults that it may have, and no other.
func TestOnlySomeSortsOfFaults(t *testing.T) {
	kinds := map[Sorts][]Kind{
		CrashFaults:     {Crash, PowerCut, CrashIn, Stop},
		PartitionFaults: {Isolate, Deafen, Join, Cut, Split, SplitOneWay, Bridge, Ring},
		NetworkFaults:   {SlowLink, LossyLink},
		DiskFaults: {SlowDisk, FullDisk, FailSync, FailReads, FailWrites, RotLog, RotHead, RotSnapshot,
			LostInLog, LostInHead, LostInSnapshot, MisplacedInLog, MisplacedInSnapshot, StrayWrite, ForeignStart, SecondStart},
		LostDiskFaults: {Wipe},
		ClockFaults:    {ClockJump},
		PauseFaults:    {Pause, Suspend, SlowTurns},
		HandoverFaults: {HandOver},
		0:              {},
	}
	for sort, allowed := range kinds {
		p, all := Calm(7), &Troubles{MemoryLoss: true, Rereads: true, Down: time.Second, PowerCut: 0.5}
		p.Replicas = 5
		for _, mean := range all.means() {
			*mean = 500 * time.Millisecond
		}
		for _, what := range []shot{crashes, isolates, pauses} {
			all.Aims = append(all.Aims, aim{when: Led, odds: 1, what: what})
		}
		sort.Only(p, all)
		r := Play(p, all, nil, ListWork(10, 0.3, 0), nil)
		assert.Nil(t, r.Violation, "sort %b", sort)
		assert.Equal(t, sort == 0, len(r.Schedule.Faults) == 0, "sort %b", sort)
		for _, f := range r.Schedule.Faults {
			assert.Contains(t, allowed, f.Kind, "sort %b: %s", sort, &f)
		}
	}
}
