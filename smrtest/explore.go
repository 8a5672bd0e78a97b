package smrtest

import (
	"testing"

	"github.com/smr-go/smr"
)

// Explore runs many simulated groups of the state machine in virtual time, on all cores. In each run,
// callers perform the operations of the workload while random faults happen. Explore fails the test at
// the first run in which one of these does not hold:
//
//   - The state machine keeps its contract, as in TestStateMachine. Bodies are overwritten after Apply
//     returns, and a second copy of the state machine, for which time.Now is in the year 2000 and which
//     is restored from snapshots now and then, does the same as the first.
//   - All replicas have equal results and states, no acknowledged operation is lost or applied twice,
//     and reads are fresh.
//   - The answers are linearizable by the Model, and the Invariant holds, if there are such.
//   - The group recovers when all faults end: every replica answers a command and a read. In some runs
//     it does so first without as many replicas as it can spare.
//
// If states could not be compared, because snapshots of one state differ, Explore reports that on stderr.
//
// Runs without faults show nothing. If many runs have had none of the faults that Config.Faults asks
// for, the test fails with what to change.
//
// A run is fixed by its seed, and the seeds by the test's name: go test tries the same ones every time.
// Importing this package adds flags to a test that try others:
//
//	-smrtest.seed=N      the first seed
//	-smrtest.runs=N      the number of runs, in place of Config.Runs
//	-smrtest.time=10m    run for this long; with new seeds, unless -smrtest.seed is given
//	-smrtest.replay=F    play the schedule in file F, and nothing else
//	-smrtest.shrink=20s  the most time spent on simplifying a failing run
//
// A failing run is reported on stderr at once, with a file that holds its schedule. Explore then repeats
// the run with fewer faults, callers and replicas for as long as it fails in the same way. The failure
// of the test names the operation and the rule, the faults that are needed, the last state of each
// replica, and the commands that repeat the run. Files are written too: the schedule, for
// -smrtest.replay; a picture of the run, for a browser; and, if the Model rejects the answers, these as
// porcupine draws them. They are in t.ArtifactDir if the test was started with -artifacts, and
// otherwise in a temporary directory that is not removed.
//
// Schedules in testdata/smrtest/NAME, where NAME is the test's name, are played first.
//
// The methods of the state machine must leave no goroutine behind when they return.
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
	h.warn()
	t.Log(h.summary())
}
