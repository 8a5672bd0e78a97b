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

// tell returns the report of a finding. It plays the run again with all checks, simplifies and records
// it, and writes files.
func (x *trial) tell(t *testing.T, found *finding) string {
	bySeed := again{"to run its seed, as it was found", command(x.name, fmt.Sprintf("-smrtest.seed=%d", found.seed), "-smrtest.runs=1")}
	if found.report == nil {
		return fmt.Sprintf("the run with seed %d has ended its goroutine, as t.FailNow and require do: a state machine, and the functions in Config, must return, with an error where possible\n\n%s:\n  %s",
			found.seed, bySeed.what, bySeed.command)
	}
	if v := found.report.Violation; v.Rule == contract.NoGoroutine.Name { // faults do not matter
		f := x.failed(found)
		f.again = []again{bySeed}
		return f.text()
	}
	f := x.failed(found)
	f.faults, f.again = len(found.report.Schedule.Faults), []again{bySeed}
	if !x.repeats(t, found) {
		f.first = another
	}
	c := x.chance(found.seed)
	c.careful = true
	r, recording := x.record(t, c)
	if r.Violation == nil {
		f.note = notAgain
	} else {
		began, early := time.Now(), false
		if f.report, recording, early = x.shrink(t, r, recording); early {
			f.note = fmt.Sprintf("simplifying it stopped after %v: with more time, fewer faults may remain", time.Since(began).Round(time.Second))
			f.again = append(f.again, again{"to simplify it for longer", bySeed.command + " -smrtest.shrink=10m -timeout=0"})
		}
	}
	f.write(t, x.dir, recording)
	if len(f.files) > 0 {
		f.again = append(f.again, again{"to make it part of the test, in the package's directory",
			fmt.Sprintf("mkdir -p %s && cp %s %[1]s", x.kept(), f.files[0].path)})
	}
	return f.text()
}

const another = "this run differs when it is repeated: New, Workload, Model or the state machine depends on something else, such as a package variable, a clock or a random source. Fix that first; the rest of this report may not be repeatable"

// repeats plays the run of a finding again and reports whether it is the same.
func (x *trial) repeats(t *testing.T, f *finding) bool {
	c := x.chance(f.seed)
	c.careful = f.careful()
	again, was := x.play(t, c), f.report
	if again.Violation == nil || again.Hash != was.Hash || again.Stats != was.Stats {
		return false
	}
	return again.Violation.Rule == was.Violation.Rule && again.Violation.Op == was.Violation.Op
}

const notAgain = "it passed when it was repeated: the state machine behaves differently from run to run"

// tries is the number of times that a run is repeated until it fails with an operation to blame: the state
// machine may behave differently from run to run.
const tries = 10

// record plays a run and records it. It repeats the run until it fails, with an operation named if the
// state machine is to blame, or until most of the test's time is over.
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

// recorded is the number of messages, the last ones, in a picture.
const recorded = 20_000

// playing returns the command that plays a schedule.
func (x *trial) playing(file string) string {
	if path, err := filepath.Abs(file); err == nil {
		file = path
	}
	return command(x.name, "-smrtest.replay="+file)
}

// directory returns the directory for files, which outlives the test.
func directory(t *testing.T) (string, error) {
	if given("test.artifacts") {
		return t.ArtifactDir(), nil
	}
	return os.MkdirTemp("", "smrtest-")
}
