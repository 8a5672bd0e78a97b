package smrtest

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/smr-go/smr/internal/sim"
)

// alarm is where a failure is said at once: what a test logs is lost with a process that runs out of
// time.
var alarm io.Writer = os.Stderr

// announce says that a run has failed, and how it is repeated, before it is made smaller: that takes
// time, and go test may end it.
func (x *trial) announce(t *testing.T, found *finding) {
	if found.report == nil {
		return // there is nothing to be made smaller
	}
	f := &failure{x: x, report: found.report, origin: fmt.Sprintf("seed %d", found.seed)}
	if x.dir == "" {
		var err error
		if x.dir, err = directory(t); err != nil {
			fmt.Fprintf(alarm, "smrtest: %s: seed %d: %s; no files are written: %v\n", x.name, found.seed, f.inLine(), err)
			return
		}
	}
	schedule := f.base(x.dir) + ".schedule"
	f.file(schedule, "", f.writeSchedule)
	fmt.Fprintf(alarm, "smrtest: %s: seed %d: %s\nthe schedule as found: %s\nmaking it smaller, for %v at most\n",
		x.name, found.seed, f.inLine(), strings.TrimSpace(schedule+" "+f.files[0].what), shrinkFor(t).Round(time.Second))
}

// shrinking is how many runs a schedule may take to become smaller.
const shrinking = 300

// shrinkFor is how long a schedule may take to become smaller, beside shrinking: never so long that
// the test runs out of time.
func shrinkFor(t *testing.T) time.Duration {
	if end, ok := t.Deadline(); ok {
		return min(*shrinkFlag, max(time.Until(end)/2, 0))
	}
	return *shrinkFlag
}

// by returns whether so many quarters of what was left of the test's time have gone by.
func by(t *testing.T, quarters time.Duration) (late func() bool) {
	end, ok := t.Deadline()
	end = end.Add(-time.Until(end) / 4 * (4 - quarters))
	return func() bool { return ok && time.Now().After(end) }
}

// shrink cuts the schedule of a run down to what the violation needs, and records that run. It reports
// whether there was no time to try all that it would. r is the careful run of what was found. Runs
// are careful only if the violation does not show otherwise: careful ones take much longer.
func (x *trial) shrink(t *testing.T, r *sim.Report, recording *sim.Recording) (small *sim.Report, smallRecording *sim.Recording, early bool) {
	end := time.Now().Add(shrinkFor(t))
	late := func() bool {
		early = early || !time.Now().Before(end)
		return early
	}
	s := r.Schedule
	elsewhere(t, func(far func(do func())) {
		for _, careful := range []bool{false, true} {
			var got *sim.Report
			if s, got = sim.Shrink(r.Schedule, x.workOf(far, careful), r.Violation, shrinking, late); got.Violation != nil && got.Violation.Rule == r.Violation.Rule {
				return
			}
		}
	})
	if small, smallRecording = x.record(t, scheduled(&s)); small.Violation != nil {
		return small, smallRecording, early
	}
	return r, recording, early
}
