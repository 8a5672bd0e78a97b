package smrtest

import (
	"sync"
	"testing"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/sim/fault"
)

// Fuzz lets Go's fuzzer choose the faults of a run: it looks for those that take the program where
// no run has been before, in the state machine and in smr.
//
//	func FuzzKV(f *testing.F) { smrtest.Fuzz(f, smrtest.Config[*KV]{New: NewKV, Workload: []smrtest.Operation{put, get}}) }
//
// The world is calm but for them: always the same seed, quick disks, a quick network. It is checked
// what [Explore] checks. Of the Config, Runs does not matter; Faults says which sorts the fuzzer has,
// but lost and rotting disks it never has; zero Replicas are 3, zero Virtual is 5 s, zero Callers
// are 1.
//
//	go test -fuzz '^FuzzKV$' -fuzzminimizetime 10x    fuzzes
//	go test -run '^FuzzKV$'                           runs what is kept, in testdata/fuzz/FuzzKV
//
// Without -fuzzminimizetime the fuzzer spends most of its time on making inputs shorter. One that
// fails it keeps, and says how it is run again; then the files of a failure of Explore are written
// too. Eight bytes of an input are a fault.
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

// fuzzSeeds are what the fuzzer begins with: nothing, a crash, a cut, a crash aimed at the third thing
// that a replica sends while another is cut off.
var fuzzSeeds = []string{
	"",
	"\x00\x00\x28\x20\x00\x00\x00\x00",
	"\x06\x01\x28\x28\x00\x00\x00\x00",
	"\x06\x01\x28\x28\x00\x00\x00\x00\x01\x00\x0a\x14\x02\x03\x00\x00",
}

// fuzz plays the run that a script says; nil if nothing is wrong in it.
func (x *trial) fuzz(t *testing.T, script []byte) *failure {
	p := sim.Calm(1)
	p.Trouble, p.CompareEvery, p.SnapshotEvery = x.virtual, 16, 20
	p.Replicas, p.Callers.PerReplica = max(x.replicas, 1), max(x.callers, 1)
	if x.replicas == 0 {
		p.Replicas = 3
	}
	c := course{setup: p, faults: fault.Script(script, x.faults.sorts(), p.Replicas, p.Trouble)}
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
	if given("test.fuzz") { // it comes here again and again, with shorter scripts
		f.calls = recording.Calls(before)
		f.again = []again{{"the same again with its files, once the fuzzer has kept the input", command(x.name)}}
	} else {
		f.write(t, "", recording)
	}
	return f
}
