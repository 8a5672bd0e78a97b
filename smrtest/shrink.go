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

// alarm is the place for early reports: the log of a test is lost if its process runs out of time.
var alarm io.Writer = os.Stderr

// announce reports a failed run, with a file that repeats it, before the run is simplified: that takes
// time, and go test may time out.
func (x *trial) announce(t *testing.T, found *finding) {
	if found.report == nil {
		return // it is not simplified
	}
	f := x.failed(found)
	if x.dir == "" {
		var err error
		if x.dir, err = directory(t); err != nil {
			fmt.Fprintf(alarm, "smrtest: %s: seed %d: %s; no files are written: %v\n", x.name, found.seed, f.inLine(), err)
			return
		}
	}
	schedule := f.base(x.dir) + "-as-found.schedule"
	f.file(schedule, "", f.writeSchedule)
	fmt.Fprintf(alarm, "smrtest: %s: seed %d: %s\nthe schedule as found: %s\nsimplifying it, for at most %v\n",
		x.name, found.seed, f.inLine(), strings.TrimSpace(schedule+" "+f.files[0].what), shrinkFor(t).Round(time.Second))
}

// shrinking is the most runs spent on simplifying a schedule.
const shrinking = 300

// shrinkFor returns the most time to spend on simplifying a schedule: at most half of the time that the
// test has left.
func shrinkFor(t *testing.T) time.Duration {
	if end, ok := t.Deadline(); ok {
		return min(*shrinkFlag, max(time.Until(end)/2, 0))
	}
	return *shrinkFlag
}

// by returns a function that reports whether these quarters of the test's remaining time have passed.
func by(t *testing.T, quarters time.Duration) (late func() bool) {
	end, ok := t.Deadline()
	end = end.Add(-time.Until(end) / 4 * (4 - quarters))
	return func() bool { return ok && time.Now().After(end) }
}

// shrink simplifies the schedule of r, a careful run, to the faults that the violation needs, and records
// the simplified run. early reports whether it ran out of time. Runs that are not careful are much
// faster; it uses careful ones only if the violation does not show without.
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
