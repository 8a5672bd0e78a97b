package smrtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/sim/fault"
)

// Fewer runs than these may happen to have no faults: severalRuns if all kinds of faults are on, manyRuns
// if some are.
const (
	severalRuns = 10
	manyRuns    = 100
)

// longEnough is the least Config.Virtual with which every kind of fault happens in manyRuns.
const longEnough = 5 * time.Second

// tooLittle returns what to change if the runs had too few of the faults that were asked for, and "" if
// they had enough.
func (h *hunt) tooLittle() string {
	x, want := &h.sum, h.x.faults.class()
	all := want == new(Faults).class()
	switch {
	case h.x.replicas == 1, x.runs < severalRuns, x.runs < manyRuns && !all:
		return ""
	case all && x.faulty*50 < x.runs, want&inTime != 0 && x.faulty == 0 && x.class&want == 0:
		return fmt.Sprintf("almost nothing happened: %d of %d runs had no fault. Raise Config.Virtual, the time in which faults happen in each run, from %v to several seconds",
			x.runs-x.faulty, x.runs, h.x.virtual)
	case x.runs < manyRuns || h.x.virtual < longEnough:
		return ""
	}
	var missing []string
	for _, c := range h.x.faults.classes() {
		if want&c.is != 0 && x.class&c.is == 0 && x.runs >= c.runs {
			missing = append(missing, c.name)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf("in %d runs no fault of these kinds happened: %s. Raise Config.Virtual, now %v, or Config.Runs",
		x.runs, strings.Join(missing, ", "), h.x.virtual)
}

// inTime are the classes of faults that happen repeatedly, given time.
const inTime = fault.CrashClass | fault.PartitionClass | fault.DiskClass | fault.HandoverClass

// faulty reports whether the run had faults of a kind that happens repeatedly.
func faulty(r *sim.Report) bool { return r.Stats.Faults > r.Happened()[fault.Wipe] }
