package smrtest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/smrtest/internal/suite"
)

// Good machines of all kinds pass.
func TestStateMachineOnGoodOnes(t *testing.T) {
	for name, ops := range map[string][][]byte{"telling": bookOps(), "blind": blindOps(), "one": {[]byte("count")}, "empty body": {nil, {}}} {
		t.Run(name+" operations", func(t *testing.T) { TestStateMachine(t, newBook(""), ops) })
	}
	t.Run("snapshots in map order", func(t *testing.T) { TestStateMachine(t, newBook("snapshot in map order"), bookOps()) })
	t.Run("no state", func(t *testing.T) {
		TestStateMachine(t, func() smr.StateMachine { return echo{} }, bookOps())
	})
	t.Run("a machine that is strict with smr", func(t *testing.T) {
		TestStateMachine(t, func() smr.StateMachine { return new(strict) }, bookOps())
	})
	t.Run("a number", func(t *testing.T) {
		TestStateMachine(t, func() smr.StateMachine { return new(counter) }, bookOps())
	})
}

// A line on stderr reports what could not be compared, although the test passes.
func TestStateMachineWarns(t *testing.T) {
	for want, new := range map[string]func() smr.StateMachine{
		"": newBook(""),
		"snapshots of one state differ, as with the order of a map: states were compared only by how often": newBook("snapshot in map order"),
		"snapshots of one state differ, as with the order of a map: states were not compared, only results": func() smr.StateMachine { return &jumbled{newLedger("")().(*ledger)} },
		"changes the snapshot, which stays \"\": only results were compared":                                func() smr.StateMachine { return echo{} },
	} {
		said := ""
		setFlag(t, &say, func(text string) { said += text })
		require.NoError(t, showsSomething(t, machinesOf(t, new, bookOps())), want)
		if assert.Contains(t, said, want); want == "" {
			assert.Empty(t, said)
		}
	}
}

// Each bug is found by the rule that is meant for it, and told in words that lead to it.
func TestStateMachineFindsBugs(t *testing.T) {
	for _, c := range []struct {
		bug, rule, text string
		only            bool // no other rule is broken by it, so that the failure says where to look
		ops             [][]byte
	}{
		{bug: "panic", rule: contract.NoPanic.Name, text: `op 30 (ops[23] = "add c 0.21"): Apply panicked: thirty`},
		{bug: "one map for all", rule: contract.Fresh.Name, text: `op 3 (ops[0] = "put a some text 0"): machines that New returned share state: an operation applied to one shows in another: snapshots`},
		{bug: "one map for all, once", rule: contract.Fresh.Name, text: `machines that New returned share state: an operation applied to one shows in another: snapshots`},
		{bug: "initial state by the clock", rule: contract.Fresh.Name, text: `the initial state: New returns machines in different states`},
		{bug: "Restore fails", rule: "Snapshot, WriteTo and Restore do not fail", text: `the initial state: Restore failed: no memory`},
		{bug: "goroutine in Apply", rule: contract.NoGoroutine.Name, text: `left a goroutine behind in Apply of op 1`},
		{bug: "goroutine in Snapshot", rule: contract.NoGoroutine.Name, text: `left a goroutine behind in Snapshot`},
		{bug: "goroutine in Restore", rule: contract.NoGoroutine.Name, text: `left a goroutine behind in Restore`},
		{bug: "map order", rule: "Apply is deterministic", text: `= "keys"): it returned "[`},
		{bug: "clock", rule: "Apply is deterministic", text: `op 11 (ops[7] = "when"): it returned "2`},
		{bug: "random", rule: "Apply is deterministic", text: `op 12 (ops[8] = "count"): it returned`},
		{bug: "global variable", rule: "Apply is deterministic", text: `"count"): it returned`},
		{bug: "floats summed in map order", rule: "Apply is deterministic", text: `"sum"): it returned`},
		{bug: "clock, coarse", only: true, rule: "Apply uses no clock but op.Time", text: `op 11 (ops[7] = "when"): it returned "20`},
		{bug: "expiry by the clock", rule: "Apply uses no clock but op.Time", text: `"when"): it returned "true", and on`},
		{bug: "processors", only: true, rule: "Apply does not depend on GOMAXPROCS", text: `it returned "1" on one processor, and "8" on eight processors`},
		{bug: "processors when made", only: true, rule: "Apply does not depend on GOMAXPROCS", text: `it returned "1" on one processor, and "8" on eight processors`},
		{bug: "hash seed", only: true, rule: "Apply does not depend on the process", text: `op 12 (ops[8] = "count"): it returned "`},
		{bug: "process id", only: true, rule: "Apply does not depend on the process", text: `after op 3 (ops[0] = "put a text 0"): the state in this process is not the state in another process`, ops: blindOps()},
		{bug: "body kept", only: true, rule: "Apply neither keeps nor changes op.Body", text: `copy what is to be kept`},
		{bug: "body changed", only: true, rule: "Apply neither keeps nor changes op.Body", text: `op 3 (ops[0] = "put a some text 0"): Apply changed op.Body to "Xut a some text 0"`},
		{bug: "body returned", only: true, rule: "Apply neither keeps nor changes op.Body", text: `op 3 (ops[0] = "put a some text 0"): the result is a part of op.Body`},
		{bug: "result buffer used again", only: true, rule: "a result is not changed once returned", text: `op 5 (ops[2] = "get a") returned`},
		{bug: "Snapshot changes the state", rule: "Snapshot changes nothing", text: `"count"): it returned "9" without snapshots`},
		{bug: "Snapshot fails", rule: "Snapshot, WriteTo and Restore do not fail", text: `the initial state: Snapshot failed: no memory`},
		{bug: "Snapshot returns nothing", rule: "Snapshot, WriteTo and Restore do not fail", text: `neither an io.WriterTo nor an error`},
		{bug: "Snapshot panics", rule: contract.NoPanic.Name, text: `the initial state: Snapshot panicked: no memory`},
		{bug: "Close fails", rule: "Snapshot, WriteTo and Restore do not fail", text: `no such file`},
		{bug: "forgotten field", rule: "Restore brings the whole state back", text: `Restore bring back, whatever state or result depends on`},
		{bug: "forgotten field", rule: "Restore brings the whole state back", text: `op 3 (ops[0] = "put a text 0"): a machine restored from the snapshot at this point writes a different one`, ops: blindOps()},
		{bug: "forgotten field, snapshot in map order", rule: "Restore brings the whole state back", text: `op 3 (ops[0] = "put a text 0"): a machine restored from the snapshot at this point writes a different one`, ops: blindOps()},
		{bug: "no state", rule: "Restore brings the whole state back", text: `op 12 (ops[8] = "count"): it returned "9", and on a machine just restored`},
		{bug: "random, seeded", rule: "Restore brings the whole state back", text: `"count"): it returned`},
		{bug: "Restore merges", only: true, rule: "Restore replaces what was there", text: `keep nothing of the old one`},
		{bug: "Restore keeps no zero", rule: "Restore replaces what was there", text: `op 3 (ops[0] = "put a some text 0"): a snapshot taken before it, restored over the state after it, gives another state`},
		{bug: "one Read", only: true, rule: "Restore takes what Read gives it", text: `byte by byte`},
		{bug: "reader's error dropped", only: true, rule: "Restore returns the reader's error", text: `though Read failed after 0 of`},
		{bug: "Restore panics", only: true, rule: "Restore of a part does not panic", text: `from the first 0 of`},
		{bug: "snapshot not frozen", rule: "WriteTo writes the state as Snapshot found it", text: `must copy what later operations change in place`},
		{bug: "snapshot shares slices", rule: "WriteTo writes the state as Snapshot found it", text: `must copy what later operations change in place`},
		{bug: "busy while a snapshot is written", rule: "WriteTo runs alongside Apply", text: `without a snapshot, and "busy" while one was written`},
		{bug: "no change", only: true, rule: "ops show something", text: `all 3 operations return "", and none changes the snapshot`, ops: [][]byte{[]byte("idle"), []byte("idle"), []byte("idle")}},
		{bug: "writer's error dropped", only: true, rule: "WriteTo returns the writer's error", text: `though the disk was full after 0 of`},
	} {
		t.Run(c.bug, func(t *testing.T) {
			if c.ops == nil {
				c.ops = bookOps()
			}
			rules := machineRules
			if testing.Short() && !c.only {
				rules = slices.DeleteFunc(slices.Clone(rules), func(r suite.Rule[machines]) bool { return r.Name != c.rule })
			}
			broken := verdicts(t, rules, machinesOf(t, newBook(c.bug), c.ops))
			require.Contains(t, broken, c.rule)
			assert.ErrorContains(t, broken[c.rule], c.text)
			assert.True(t, len(broken) == 1 || !c.only, "all that is broken: %v", broken)
		})
	}
}

// verdicts checks all rules and returns the errors of those that are broken.
func verdicts[S any](t *testing.T, rules []suite.Rule[S], subject S) map[string]error {
	broken := map[string]error{}
	for _, r := range rules {
		err := r.Check(t, subject)
		if _, skip := errors.AsType[suite.Unable](err); err != nil && !skip {
			broken[r.Name] = err
		}
	}
	return broken
}

func TestNewMayNotReturnNil(t *testing.T) {
	nothing := machinesOf(t, func() smr.StateMachine { return nil }, blindOps())
	require.Len(t, verdicts(t, machineRules, nothing), len(machineRules))
}

// Operations look like those of a group: numbers rise with gaps, times never fall and may repeat.
func TestOperationsLookReal(t *testing.T) {
	ops := number(make([][]byte, 100))
	gaps, repeats := 0, 0
	for i := range ops[1:] {
		require.Greater(t, ops[i+1].Number, ops[i].Number)
		require.False(t, ops[i+1].Time.Before(ops[i].Time))
		if ops[i+1].Number > ops[i].Number+1 {
			gaps++
		}
		if ops[i+1].Time.Equal(ops[i].Time) {
			repeats++
		}
	}
	require.Positive(t, gaps)
	require.Positive(t, repeats)
}

// echo has no state.
type echo struct{}

func (echo) Apply(op smr.Op) []byte           { return fmt.Append(nil, op.Number, op.Time) }
func (echo) Snapshot() (io.WriterTo, error)   { return echo{}, nil }
func (echo) WriteTo(io.Writer) (int64, error) { return 0, nil }
func (echo) Restore(io.Reader) error          { return nil }

// counter is the smallest state; its snapshot is a copy of itself.
type counter uint64

func (c *counter) Apply(smr.Op) []byte {
	*c++
	return binary.BigEndian.AppendUint64(nil, uint64(*c))
}
func (c *counter) Snapshot() (io.WriterTo, error) { return *c, nil }
func (c counter) WriteTo(w io.Writer) (int64, error) {
	return 8, binary.Write(w, binary.BigEndian, uint64(c))
}
func (c *counter) Restore(r io.Reader) error { return binary.Read(r, binary.BigEndian, (*uint64)(c)) }

// strict panics if smr breaks its side of the contract.
type strict struct{ Last smr.Op }

func (s *strict) Apply(op smr.Op) []byte {
	if op.Number <= s.Last.Number || op.Time.Before(s.Last.Time) || op.Time.Location() != time.UTC {
		panic(fmt.Sprintf("%v after %v", op, s.Last))
	}
	op.Body = nil
	s.Last = op
	return nil
}
func (s *strict) Snapshot() (io.WriterTo, error) {
	var b bytes.Buffer
	err := json.NewEncoder(&b).Encode(s)
	return &b, err
}
func (s *strict) Restore(r io.Reader) error {
	*s = strict{}
	return json.NewDecoder(r).Decode(s)
}
