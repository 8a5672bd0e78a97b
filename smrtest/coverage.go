package smrtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/sim/fault"
)

// Runs are few in which chance may have made no fault: with all sorts of faults, or with some.
const (
	severalRuns = 10
	manyRuns    = 100
)

// longEnough is how long faults last where every sort of them happens in many runs.
const longEnough = 5 * time.Second

// tooLittle says what to change if the runs have shown nothing, because nothing has happened in them
// that was asked for; "" if enough has.
func (h *hunt) tooLittle() string {
	x, want := &h.sum, h.x.faults.sorts()
	all := want == new(Faults).sorts()
	switch {
	case h.x.replicas == 1, x.runs < severalRuns, x.runs < manyRuns && !all:
		return ""
	case all && x.faulty*50 < x.runs, want&inTime != 0 && x.faulty == 0 && x.sorts&want == 0:
		return fmt.Sprintf("next to nothing happened: in %d of %d runs there was no fault. Config.Virtual, how long faults last in each, is %v: raise it to some seconds",
			x.runs-x.faulty, x.runs, h.x.virtual)
	case x.runs < manyRuns || h.x.virtual < longEnough:
		return ""
	}
	var missing []string
	for _, c := range h.x.faults.classes() {
		if want&c.is != 0 && x.sorts&c.is == 0 && x.runs >= c.runs {
			missing = append(missing, c.name)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf("in %d runs not one fault of these sorts happened: %s. Raise Config.Virtual, %v now, or Config.Runs",
		x.runs, strings.Join(missing, ", "), h.x.virtual)
}

// inTime are the sorts that happen again and again, in a run that is long enough, and not otherwise.
const inTime = fault.CrashClass | fault.PartitionClass | fault.DiskClass | fault.HandoverClass

// faulty reports whether something went wrong in the run that does so again and again.
func faulty(r *sim.Report) bool { return r.Stats.Faults > r.Happened()[fault.Wipe] }
