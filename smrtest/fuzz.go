package smrtest

import (
	"sync"
	"testing"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/sim/fault"
)

// Fuzz lets Go's fuzzer choose the faults of a run: it searches for faults that reach new code, in the
// state machine and in smr.
//
//	func FuzzKV(f *testing.F) { smrtest.Fuzz(f, smrtest.Config[*KV]{New: NewKV, Workload: []smrtest.Operation{put, get}}) }
//
// Apart from these faults the world is calm: the seed is always the same, and disks and network are
// fast. The checks are those of [Explore]. Config.Runs is ignored. Config.Faults limits the fuzzer's
// faults, which never include lost or rotting disks. The defaults of Replicas, Virtual and Callers are 3,
// 5 s and 1.
//
//	go test -fuzz '^FuzzKV$' -fuzzminimizetime 10x    fuzzes
//	go test -run '^FuzzKV$'                           runs the inputs in testdata/fuzz/FuzzKV
//
// Without -fuzzminimizetime the fuzzer spends most of its time on shortening inputs. It keeps a failing
// input and prints the command that repeats it; that command also writes the files of a failure of
// Explore. Eight bytes of input are a fault.
func Fuzz[M smr.StateMachine](f *testing.F, c Config[M]) {
	f.Helper()
	x, err := c.trial(f.Name())
	if err != nil {
		f.Fatalf("smrtest: Fuzz: %v", err)
	}
	if c.Virtual == 0 {
		x.virtual = 5 * time.Second
	}
	for _, script := range fuzzSeeds {
		f.Add([]byte(script))
	}
	if *replayFlag != "" {
		var once sync.Once
		f.Fuzz(func(t *testing.T, _ []byte) { once.Do(func() { x.replay(t, *replayFlag) }) })
		return
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if found := x.fuzz(t, script); found != nil {
			t.Error(found.text())
		}
	})
}

// fuzzSeeds are the fuzzer's first inputs: no fault, a crash, a cut, and a crash at the third message that
// a replica sends while another is cut off.
var fuzzSeeds = []string{
	"",
	"\x00\x00\x28\x20\x00\x00\x00\x00",
	"\x06\x01\x28\x28\x00\x00\x00\x00",
	"\x06\x01\x28\x28\x00\x00\x00\x00\x01\x00\x0a\x14\x02\x03\x00\x00",
}

// fuzz plays the run of a script and returns its failure; nil if it passes.
func (x *trial) fuzz(t *testing.T, script []byte) *failure {
	p := sim.Calm(1)
	p.Trouble, p.CompareEvery, p.SnapshotEvery = x.virtual, 16, 20
	p.Replicas, p.Callers.PerReplica = max(x.replicas, 1), max(x.callers, 1)
	if x.replicas == 0 {
		p.Replicas = 3
	}
	c := course{setup: p, faults: fault.Script(script, x.faults.class(), p.Replicas, p.Trouble)}
	r := x.play(t, c)
	if r.Violation == nil {
		return nil
	}
	c.careful = true
	careful, recording := x.record(t, c)
	f := &failure{x: x, report: careful, origin: "a script of Go's fuzzer"}
	if careful.Violation == nil {
		f.report, f.note = r, notAgain
	}
	if given("test.fuzz") { // the fuzzer tries many shorter scripts next
		f.calls = recording.Calls(before)
		f.again = []again{{"to repeat it and write its files, once the fuzzer has kept the input", command(x.name)}}
	} else {
		f.write(t, "", recording)
	}
	return f
}
