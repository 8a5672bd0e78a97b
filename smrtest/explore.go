package smrtest

import (
	"testing"

	"github.com/smr-go/smr"
)

// Explore runs simulated groups of the state machine in virtual time, with callers who do what the
// workload says and with faults that chance chooses, many runs on all cores, and fails the test with
// the first one in which anything is wrong. In every run it is checked
//
//   - that the state machine keeps its contract, as TestStateMachine does: another copy of it, which
//     lives where time.Now is in the year 2000 and is now and then restored from a snapshot, must do
//     the same, and bodies are overwritten once Apply has returned;
//   - that results and states of all replicas are the same, nothing acknowledged is lost or applied
//     twice, and reads are fresh;
//   - that the answers are linearizable by the model, and that the invariant holds, if there are;
//   - that in the end, when all faults are over, the group works and is one: every replica answers a
//     command and a read, in some runs first while as many stay out of reach as may.
//
// Runs in which next to nothing happened have shown nothing: if the faults that are asked for were in
// none of many runs, the test fails and says so.
//
// A run is fixed by its seed, and seeds by the test's name: go test tries the same ones every time.
// These flags, which importing this package adds to a test, try others:
//
//	-smrtest.seed=N      the first seed
//	-smrtest.runs=N      how many runs, in place of Config.Runs
//	-smrtest.time=10m    as many runs as there is time for; with new seeds, unless the first is given
//	-smrtest.replay=F    the run that the schedule in file F says, and no other
//	-smrtest.shrink=20s  how long a failing run is cut down
//
// A failing run is said on stderr at once, and the schedule that repeats it written to a file. It is
// then run again with fewer and fewer faults, callers and replicas, as long as it fails in the same
// way. A failure names the operation and the rule. It has the faults that are needed for it, the last
// state of each replica, and the commands that repeat it, and it writes files: the schedule, to be
// played by -smrtest.replay; a picture of the run, to be opened in a browser; and, if the model is
// at odds with the answers, these in porcupine's own view. They are in t.ArtifactDir if the test was
// started with -artifacts, and else in a temporary directory that stays.
//
// Schedules in testdata/smrtest/NAME, after the test's name, are played first of all: what was found
// once is looked for for ever.
//
// The state machine must leave no goroutine behind when a method returns.
func Explore[M smr.StateMachine](t *testing.T, c Config[M]) {
	t.Helper()
	x, err := c.trial(t.Name())
	if err != nil {
		t.Fatalf("smrtest: Explore: %v", err)
	}
	if *replayFlag != "" {
		x.replay(t, *replayFlag)
		return
	}
	if !x.playKept(t) {
		return
	}
	h := x.newHunt()
	h.run(t)
	if h.first != nil {
		t.Error(x.tell(t, h.first))
		return
	}
	if little := h.tooLittle(); little != "" {
		t.Errorf("smrtest: Explore: %s", little)
	}
	t.Log(h.summary())
}
