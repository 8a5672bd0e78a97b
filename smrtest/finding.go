package smrtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/sim"
)

// report returns the report of a finding. It repeats the run with all checks, simplifies and records it, and writes
// files.
func (x *trial) report(t *testing.T, found *finding) string {
	bySeed := again{"to run its seed, as it was found", command(x.name, fmt.Sprintf("-smrtest.seed=%d", found.seed), "-smrtest.runs=1")}
	if found.report == nil {
		return fmt.Sprintf("the run with seed %d has ended its goroutine, as t.FailNow and require do: a state machine, and the functions in Config, must return, with an error where possible\n\n%s:\n  %s",
			found.seed, bySeed.what, bySeed.command)
	}
	f := x.failed(found)
	f.again = []again{bySeed}
	if f.report.Violation.Rule == contract.NoGoroutine.Name { // faults do not matter
		return f.text()
	}
	f.found = f.report.Schedule
	if !x.repeats(t, found) {
		f.first = another
	}
	r, recording := x.record(t, x.chance(found.seed, true))
	if r.Violation == nil {
		f.note = notAgain
	} else {
		done := false
		if f.report, recording, done = x.shrink(t, r, recording); !done {
			f.note = "simplifying it has ended early: with more work, fewer faults and operations may remain"
			f.again = append(f.again, again{"to simplify it further",
				fmt.Sprintf("%s -smrtest.shrink=%d -timeout=0", bySeed.command, 10*max(*shrinkFlag, 100))})
		}
	}
	f.write(t, x.dir, recording)
	if len(f.files) > 0 {
		to := unused(filepath.Join(x.kept(), filepath.Base(f.files[0].path)))
		f.again = append(f.again, again{"to make it part of the test, in the package's directory",
			fmt.Sprintf("mkdir -p %s && cp %s %s", x.kept(), f.files[0].path, to)})
	}
	return f.text()
}

const another = "this run differs when it is repeated: New, Workload, Model or the state machine depends on something else, such as a package variable, a clock or a random source. Fix that first; the rest of this report may not be repeatable"

// repeats runs a finding again and reports whether it is the same.
func (x *trial) repeats(t *testing.T, f *finding) bool {
	again, was := x.run(t, x.chance(f.seed, f.careful())), f.report
	if again.Violation == nil || again.Hash != was.Hash || again.Stats != was.Stats {
		return false
	}
	return again.Violation.Rule == was.Violation.Rule && again.Violation.Op == was.Violation.Op
}

const notAgain = "it passed when it was repeated: the state machine behaves differently from run to run"

// tries is the number of times that a run is repeated until it fails with an operation to blame: the state machine may
// behave differently from run to run.
const tries = 10

// record performs a run and records it. It repeats the run until it fails, with an operation named if the state machine is
// to blame, or until most of the test's time is over.
func (x *trial) record(t *testing.T, c scenario) (r *sim.Report, recording *sim.Recording) {
	end, limited := t.Deadline()
	end = end.Add(-time.Until(end) / 4)
	for range tries {
		watcher := sim.NewRecording(c.Setup.Replicas, recorded)
		watcher.Show, c.watcher = stateOf, watcher
		again := x.run(t, c)
		v := again.Violation
		if r == nil || v != nil && (r.Violation == nil || v.Op > 0) {
			r, recording = again, watcher
		}
		if v != nil && (v.Op > 0 || !v.OfMachine()) || limited && time.Now().After(end) {
			break
		}
	}
	return r, recording
}

// recorded is the number of messages, the last ones, in a picture.
const recorded = 20_000

// replayCommand returns the command that replays a schedule.
func (x *trial) replayCommand(file string) string {
	if path, err := filepath.Abs(file); err == nil {
		file = path
	}
	return command(x.name, "-smrtest.replay="+file)
}

// directory returns the directory for files, which outlives the test.
func directory(t *testing.T) (string, error) {
	if isSet("test.artifacts") {
		return t.ArtifactDir(), nil
	}
	return os.MkdirTemp("", "smrtest-")
}

// announce reports a failed run, with a file that repeats it, before the run is simplified: that takes time, and go
// test may time out.
func (x *trial) announce(t *testing.T, found *finding) {
	if found.report == nil {
		return // it is not simplified
	}
	f := x.failed(found)
	if x.dir == "" {
		var err error
		if x.dir, err = directory(t); err != nil {
			say(fmt.Sprintf("smrtest: %s: seed %d: %s; no files are written: %v", x.name, found.seed, f.inLine(), err))
			return
		}
	}
	schedule := f.base(x.dir) + "-as-found.schedule"
	f.file(schedule, "", f.writeSchedule)
	say(fmt.Sprintf("smrtest: %s: seed %d: %s\nthe schedule as found: %s\nsimplifying it, which takes as much work as %d such runs at most",
		x.name, found.seed, f.inLine(), strings.TrimSpace(f.files[0].path+" "+f.files[0].what), *shrinkFlag))
}

// shrink simplifies the schedule of r, a careful run, to the operations and faults that the violation needs, and
// records the simplified run. done reports whether there is nothing left to simplify. Runs that are not careful are
// much faster; it uses careful ones only if the violation does not show without. It ends early when half of the time
// that the test has left is over: go test would end the process before the report.
func (x *trial) shrink(t *testing.T, r *sim.Report, recording *sim.Recording) (
	small *sim.Report, smallRecording *sim.Recording, done bool) {
	end, limited := t.Deadline()
	end = end.Add(-time.Until(end) / 2)
	late := func() bool { return limited && time.Now().After(end) }
	s := r.Schedule
	elsewhere(t, func(far func(do func())) {
		for _, careful := range []bool{false, true} {
			var got *sim.Report
			work := func(*sim.Setup) *sim.Work { return x.workOf(far, careful) }
			s, got, done = sim.Shrink(r.Schedule, work, r.Violation, *shrinkFlag, late)
			if got.Violation != nil && got.Violation.Rule == r.Violation.Rule {
				return
			}
		}
	})
	c := scheduled(&s)
	c.suspect = r.Violation.Op
	if small, smallRecording = x.record(t, c); small.Violation != nil {
		return small, smallRecording, done
	}
	return r, recording, done
}
