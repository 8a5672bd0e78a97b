package smrtest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/sim"
)

// tell makes a finding into a failure: its run is played again with all checks, cut down to what it
// needs, recorded, and written to files.
func (x *trial) tell(t *testing.T, found *finding) string {
	bySeed := again{"as it was found", command(x.name, fmt.Sprintf("-smrtest.seed=%d", found.seed), "-smrtest.runs=1")}
	if found.report == nil {
		return fmt.Sprintf("the run with seed %d has ended its goroutine, as t.FailNow and require do: a state machine, and what a Config is given, must return, with an error where it has one\n\n%s:\n  %s",
			found.seed, bySeed.what, bySeed.command)
	}
	if v := found.report.Violation; v.Rule == contract.NoGoroutine.Name { // no fault has a part in it
		f := &failure{x: x, report: found.report, origin: fmt.Sprintf("seed %d", found.seed), again: []again{bySeed}}
		return f.text()
	}
	first := ""
	if !x.repeats(t, found) {
		first = another
	}
	f := &failure{x: x, report: found.report, first: first, origin: fmt.Sprintf("seed %d", found.seed), faults: len(found.report.Schedule.Faults)}
	f.again = append(f.again, bySeed)
	c := x.chance(found.seed)
	c.careful = true
	r, recording := x.record(t, c)
	if r.Violation == nil {
		f.note = notAgain
	} else {
		began, early := time.Now(), false
		if f.report, recording, early = x.shrink(t, r, recording); early {
			f.note = fmt.Sprintf("making it smaller was stopped after %v: with more time less may be left of it", time.Since(began).Round(time.Second))
			f.again = append(f.again, again{"with more time to make it smaller", bySeed.command + " -smrtest.shrink=10m -timeout=0"})
		}
	}
	f.write(t, x.dir, recording)
	if len(f.files) > 0 {
		f.again = append(f.again, again{"to look for it for ever, in the package's directory",
			fmt.Sprintf("mkdir -p %s && cp %s %[1]s", x.kept(), f.files[0].path)})
	}
	return f.text()
}

const another = "this run is another one when it is played again: New, Workload, Model or the state machine depends on something outside, as a variable of the package, a clock or a random source. Make that end first; what follows may not come again"

// repeats plays the run of a finding once more, and reports whether it is the same.
func (x *trial) repeats(t *testing.T, f *finding) bool {
	c := x.chance(f.seed)
	c.careful = f.careful()
	again, was := x.play(t, c), f.report
	if again.Violation == nil || again.Hash != was.Hash || again.Stats != was.Stats {
		return false
	}
	return again.Violation.Rule == was.Violation.Rule && again.Violation.Op == was.Violation.Op
}

const notAgain = "it went well when it was played again: what the state machine does differs from run to run"

// tries is how often a run is played again that does not fail every time, or in which no operation is
// blamed: what the state machine does may differ from run to run.
const tries = 10

// record plays a run and records it, again and again until something is wrong in it, and the operation
// is named if the state machine is to blame, or until there is no time for more.
func (x *trial) record(t *testing.T, c course) (r *sim.Report, recording *sim.Recording) {
	late := by(t, 3)
	for range tries {
		watcher := sim.NewRecording(c.setup.Replicas, recorded)
		c.watcher = watcher
		again := x.play(t, c)
		v := again.Violation
		if r == nil || v != nil && (r.Violation == nil || v.Op > 0) {
			r, recording = again, watcher
		}
		if v != nil && (v.Op > 0 || !v.OfMachine()) || late() {
			break
		}
	}
	return r, recording
}

// recorded is how many of the last messages a picture shows.
const recorded = 20_000

// playing is the command that plays a schedule.
func (x *trial) playing(file string) string {
	if path, err := filepath.Abs(file); err == nil {
		file = path
	}
	return command(x.name, "-smrtest.replay="+file)
}

// directory returns where files are written: it outlives the test.
func directory(t *testing.T) (string, error) {
	if given("test.artifacts") {
		return t.ArtifactDir(), nil
	}
	return os.MkdirTemp("", "smrtest-")
}
