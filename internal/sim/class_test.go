package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/smr-go/smr/internal/sim/fault"
)

// A run has faults of the allowed classes only.
func TestOnlySomeClassesOfFaults(t *testing.T) {
	kinds := map[fault.Class][]fault.Kind{
		fault.CrashClass: {fault.Crash, fault.PowerCut, fault.CrashIn, fault.Stop},
		fault.PartitionClass: {fault.Isolate, fault.Deafen, fault.Join, fault.Cut, fault.Split, fault.SplitOneWay,
			fault.Bridge, fault.Ring},
		fault.NetworkClass: {fault.SlowLink, fault.LossyLink, fault.NarrowLink, fault.ForgeRequest},
		fault.DiskClass: {fault.SlowDisk, fault.FullDisk, fault.FailSync, fault.FailReads, fault.FailWrites,
			fault.NoDescriptors,
			fault.RotLog, fault.RotHead, fault.RotSnapshot, fault.LostInLog, fault.LostInHead, fault.LostInSnapshot,
			fault.MisplacedInLog, fault.MisplacedInSnapshot, fault.StrayWrite, fault.ForeignStart, fault.SecondStart,
			fault.LostTail, fault.RemoveFolder, fault.OlderFolder, fault.OthersFolder},
		fault.LostDiskClass: {fault.Wipe},
		fault.ClockClass:    {fault.ClockJump},
		fault.PauseClass:    {fault.Pause, fault.Suspend, fault.SlowTurns, fault.HangApply},
		fault.HandoverClass: {fault.HandOver},
		0:                   {},
	}
	for class, allowed := range kinds {
		p, all := Calm(7), &Hazards{MemoryLoss: true, Rereads: true, Down: time.Second, PowerCut: 0.5}
		p.Replicas = 5
		for i := range all.Every {
			all.Every[i] = 500 * time.Millisecond
		}
		for _, x := range []response{byCrash, byIsolation, byPause} {
			all.Triggered = append(all.Triggered, triggered{when: fault.Led, odds: 1, response: x})
		}
		Restrict(p, all, class)
		r := Run(&Schedule{Setup: *p}, all, listWork(10, 0.3, 0), nil)
		assert.Nil(t, r.Violation, "class %b", class)
		assert.Equal(t, class == 0, len(r.Schedule.Faults) == 0, "class %b", class)
		for _, f := range r.Schedule.Faults {
			assert.Contains(t, allowed, f.Kind, "class %b: %s", class, &f)
		}
	}
}
