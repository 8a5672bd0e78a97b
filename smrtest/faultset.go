package smrtest

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/sim/fault"
)

// Faults is a set of kinds of faults. Each run of [Explore] turns some of them on at random and chooses how often they
// happen and when: some runs are calm, some are stormy, and some faults are aimed at critical moments. No more replicas
// lose their memory than the group survives. The package documentation describes the faults.
//
// The zero value is all of them.
type Faults struct {
	Crashes    bool // processes end at any point, or the power is cut; they start again
	Partitions bool // links are cut, in both directions or in one
	Network    bool // messages are lost, repeated, delayed, reordered or corrupted
	Disks      bool // disks are slow or full, fail, or lose, misplace or corrupt writes
	LostDisks  bool // a disk is suddenly empty, and its replica stays out of the group
	Clocks     bool // clocks jump, drift, and differ
	Pauses     bool // processes stop for a while, or are slow
	Handovers  bool // an operator asks the primary to hand over its role

	// None turns all faults off. The others must be false then.
	None bool
}

// faultClass is a field of Faults.
type faultClass struct {
	name string
	on   bool
	is   fault.Class
	runs int // the least number of runs in which such faults surely happen
}

func (f *Faults) classes() []faultClass {
	return []faultClass{
		{"Crashes", f.Crashes, fault.CrashClass, manyRuns},
		{"Partitions", f.Partitions, fault.PartitionClass, manyRuns},
		{"Network", f.Network, fault.NetworkClass, manyRuns},
		{"Disks", f.Disks, fault.DiskClass, manyRuns},
		{"LostDisks", f.LostDisks, fault.LostDiskClass, 5 * manyRuns},
		{"Clocks", f.Clocks, fault.ClockClass, manyRuns},
		{"Pauses", f.Pauses, fault.PauseClass, manyRuns},
		{"Handovers", f.Handovers, fault.HandoverClass, manyRuns},
	}
}

// class returns the set for the simulator.
func (f *Faults) class() (set fault.Class) {
	for _, c := range f.classes() {
		if c.on || *f == (Faults{}) {
			set |= c.is
		}
	}
	return set
}

// Fewer runs than these may happen to have no faults: severalRuns if all kinds of faults are on, manyRuns if some are.
const (
	severalRuns = 10
	manyRuns    = 100
)

// longEnough is the least Config.Virtual with which every kind of fault happens in manyRuns.
const longEnough = 5 * time.Second

// tooLittle returns what to change if the runs had too few of the faults that were asked for, and "" if they had
// enough.
func (s *search) tooLittle() string {
	x, want := &s.sum, s.x.Faults.class()
	all := want == new(Faults).class()
	switch {
	case s.x.Replicas == 1, x.runs < severalRuns, x.runs < manyRuns && !all:
		return ""
	case all && x.faulty*50 < x.runs, want&inTime != 0 && x.faulty == 0 && x.class&want == 0:
		return fmt.Sprintf("almost nothing happened: %d of %d runs had no fault. Raise Config.Virtual, the time in which faults happen in each run, from %v to several seconds",
			x.runs-x.faulty, x.runs, s.x.Virtual)
	case x.runs < manyRuns || s.x.Virtual < longEnough:
		return ""
	}
	var missing []string
	for _, c := range s.x.Faults.classes() {
		if want&c.is != 0 && x.class&c.is == 0 && x.runs >= c.runs {
			missing = append(missing, c.name)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf("in %d runs no fault of these kinds happened: %s. Raise Config.Virtual, now %v, or Config.Runs",
		x.runs, strings.Join(missing, ", "), s.x.Virtual)
}

// inTime are the classes of faults that happen repeatedly, given time.
const inTime = fault.CrashClass | fault.PartitionClass | fault.DiskClass | fault.HandoverClass

// faulty reports whether the run had faults of a kind that happens repeatedly.
func faulty(r *sim.Report) bool { return r.Stats.Faults > r.Happened()[fault.Wipe] }

// Fuzz lets Go's fuzzer choose the faults of a run: it searches for faults that reach new code, in the state machine
// and in smr.
//
//	func FuzzKV(f *testing.F) { smrtest.Fuzz(f, smrtest.Config[*KV]{New: NewKV, Workload: []smrtest.Operation{put, get}}) }
//
// Apart from these faults the world is calm: the seed is always the same, and disks and network are fast. The checks
// are those of [Explore]. Config.Runs is ignored. Config.Faults limits the fuzzer's faults, which never include lost or
// rotting disks. The defaults of Replicas, Virtual and Callers are 3, 5 s and 1.
//
//	go test -fuzz '^FuzzKV$' -fuzzminimizetime 10x    fuzzes
//	go test -run '^FuzzKV$'                           runs the inputs in testdata/fuzz/FuzzKV
//
// Without -fuzzminimizetime the fuzzer spends most of its time on shortening inputs. It keeps a failing input and
// prints the command that repeats it; that command also writes the files of a failure of Explore. Eight bytes of input
// are a fault.
func Fuzz[M smr.StateMachine](f *testing.F, c Config[M]) {
	f.Helper()
	x, err := c.trial(f.Name())
	if err != nil {
		f.Fatalf("smrtest: Fuzz: %v", err)
	}
	if c.Virtual == 0 {
		x.Virtual = 5 * time.Second
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

// fuzzSeeds are the fuzzer's first inputs: no fault, a crash, a cut, and a crash at the third message that a replica
// sends while another is cut off.
var fuzzSeeds = []string{
	"",
	"\x00\x00\x28\x20\x00\x00\x00\x00",
	"\x06\x01\x28\x28\x00\x00\x00\x00",
	"\x06\x01\x28\x28\x00\x00\x00\x00\x01\x00\x0a\x14\x02\x03\x00\x00",
}

// fuzz performs the run of a script and returns its failure; nil if it passes.
func (x *trial) fuzz(t *testing.T, script []byte) *failure {
	p := sim.Calm(1)
	p.Trouble, p.CompareEvery, p.SnapshotEvery = x.Virtual, 16, 20
	p.Replicas, p.Callers.PerReplica = cmp.Or(x.Replicas, 3), cmp.Or(x.Callers, 1)
	c := scenario{Schedule: &sim.Schedule{Setup: *p, Faults: fault.Script(script, x.Faults.class(), p.Replicas, p.Trouble)}}
	r := x.run(t, c)
	if r.Violation == nil {
		return nil
	}
	c.careful = true
	careful, recording := x.record(t, c)
	f := &failure{x: x, report: careful, origin: "a script of Go's fuzzer"}
	if careful.Violation == nil {
		f.report, f.note = r, notAgain
	}
	if isSet("test.fuzz") { // the fuzzer tries many shorter scripts next
		f.calls = recording.Calls(before)
		f.again = []again{{"to repeat it and write its files, once the fuzzer has kept the input", command(x.name)}}
	} else {
		f.write(t, "", recording)
	}
	return f
}
