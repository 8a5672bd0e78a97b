package smrtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/sim/fault"
)

// Operations that a change of the workload could turn into others.
var (
	incAny = Command("inc any", func(r *rand.Rand) []byte { return inc(string(rune('a' + r.IntN(3)))) })
	getAny = Query("get any", func(r *rand.Rand) string { return string(rune('a' + r.IntN(3))) }, (*counts).get)
)

// panics has a third operation on a name panic.
func panics(workload ...Operation) Config[*counts] {
	c := countsOf(workload...)
	c.New, c.Runs = buggy("panic"), 1
	return c
}

// kept returns the shortest schedule of a failure, as a file.
func kept(t *testing.T, c Config[*counts]) (file, report string) {
	t.Helper()
	report = exploring(t, c)
	_, rest, found := strings.Cut(report, "-smrtest.replay=")
	require.True(t, found, report)
	file, _, _ = strings.Cut(rest, "\n")
	return file, report
}

// write writes a schedule to a file.
func write(t *testing.T, s *sim.Schedule) string {
	file, err := writeFile(filepath.Join(t.TempDir(), "one.schedule"), func(w io.Writer) error { _, err := s.WriteTo(w); return err })
	require.NoError(t, err)
	return file
}

// rerun returns how a schedule fails; "" if it passes.
func rerun(t *testing.T, c Config[*counts], file string) string {
	t.Helper()
	x, err := c.trial("TestCounts")
	require.NoError(t, err)
	_, failure := x.replayed(t, file)
	return failure
}

// A schedule holds the operations of its run, and only those that matter. It fails with the bug that it was kept for,
// whatever becomes of the workload, and passes once the bug is corrected.
func TestKeptScheduleOutlivesTheWorkload(t *testing.T) {
	file, report := kept(t, panics(incAny, getAny))
	assert.Regexp(t, `with 3 of \d+ operations`, report)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, 3, strings.Count(string(text), ` call a by 1: "inc any" body "`), "%s", text)
	assert.NotContains(t, string(text), "get any")

	failure, _, _ := strings.Cut(report, "three is too many") // with the name of the operation
	other := Command("inc any", func(r *rand.Rand) []byte { return inc(fmt.Sprint(r.Uint64())) })
	for name, workload := range map[string][]Operation{
		"as it was": {incAny, getAny}, "more": {getX, getAny, incX, incAny}, "less": {incAny}, "other bodies": {other},
	} {
		assert.Contains(t, rerun(t, panics(workload...), file), failure, name)
		correct := panics(workload...)
		correct.New = newCounts
		assert.Empty(t, rerun(t, correct, file), name)
	}
	assert.Contains(t, rerun(t, panics(incX), file), `Workload has no operation "inc any": it has inc`)
	query := Query("inc any", func(*rand.Rand) string { return "" }, (*counts).get)
	assert.Contains(t, rerun(t, panics(incX, query), file), `"inc any" is a Query now, and was a Command`)
}

// A query is kept with its seed. If that gives another one, the schedule cannot be run.
func TestKeptScheduleHoldsQueries(t *testing.T) {
	wrong := Query("get", func(r *rand.Rand) string { return string(rune('a' + r.IntN(3))) }, func(m *counts, name string) int {
		if name == "b" && m.N["b"] > 0 {
			panic("no b")
		}
		return m.get(name)
	})
	file, report := kept(t, countsOf(incAny, wrong))
	assert.Regexp(t, `with 2 of \d+ operations`, report)
	assert.Contains(t, rerun(t, countsOf(incX, incAny, wrong, getAny), file), "no b")
	other := Query("get", func(r *rand.Rand) string { return "z" }, (*counts).get)
	assert.Regexp(t, `seed \d+ of "get" makes get "z" now, and made get "b"`, rerun(t, countsOf(incAny, other), file))
}

// A schedule that passes because its faults or its operations do something else now has not shown anything.
func TestKeptScheduleThatIsNotAsItWas(t *testing.T) {
	p := sim.Calm(1)
	p.Trouble, p.Callers = time.Second, sim.Callers{}
	call := func(at time.Duration, host int, op uint64) sim.PlannedCall {
		return sim.PlannedCall{At: at, Host: host, Caller: host + 1, Name: "inc", Body: inc("x"), Op: op}
	}
	s := &sim.Schedule{Setup: *p,
		Calls:  []sim.PlannedCall{call(time.Second, 0, 8), call(2*time.Second, 1, 7), call(time.Hour, 2, 0)},
		Faults: []fault.Fault{{At: time.Second / 2, Kind: fault.Crash, Host: 1, For: time.Millisecond}, {At: time.Hour, Kind: fault.Isolate, Host: 1}}}
	said := rerun(t, countsOf(incX), write(t, s))
	assert.Contains(t, said, "one.schedule passed, but it no longer does what it did")
	assert.Contains(t, said, "1 of its 2 faults had no effect")
	assert.Contains(t, said, "\n  at 1h0m0s isolate b: its time never came\n")
	assert.Contains(t, said, "\n  at 1h0m0s call c by 3: inc body \"x\": it never began\n")
	assert.Contains(t, said, "op 8: 2 of the schedule's commands had taken effect then, and now 1\n")
	assert.Contains(t, said, "op 7: 1 of the schedule's commands had taken effect then, and now 2\n")
}

// A schedule without operations would show something else after each change of the workload.
func TestOldSchedulesAreRefused(t *testing.T) {
	s := &sim.Schedule{Setup: *sim.Calm(1)}
	s.Setup.Trouble = time.Second
	file := write(t, s)
	assert.Contains(t, rerun(t, panics(incX), file), "as an earlier version of smrtest wrote it")
}

// Schedules know operations by name.
func TestNamesOfOperationsDiffer(t *testing.T) {
	_, err := (&Config[*counts]{New: newCounts, Workload: []Operation{incX, incX, getX}}).trial("TestCounts")
	require.NoError(t, err, "an operation may be listed twice")
	again := Command("inc", func(*rand.Rand) []byte { return inc("y") })
	_, err = (&Config[*counts]{New: newCounts, Workload: []Operation{incX, again}}).trial("TestCounts")
	assert.ErrorContains(t, err, `two operations have the name "inc"`)
}

// The first answer that the model rejects is named, with its caller and what the model would accept; the run ends there.
func TestModelIsCheckedAlongTheLog(t *testing.T) {
	stale := Query("get", func(*rand.Rand) string { return "x" }, func(m *counts, name string) int { return min(m.N[name], 2) })
	c := countsOf(incX, stale)
	c.Model, c.Virtual, c.Replicas = countModel(0), 20*time.Second, 3
	report := exploring(t, c)
	assert.Regexp(t, `^broken rule: what callers see is linearizable by the model\nafter op \d+, by caller \d+ at a: "?x"? → 2\. The model rejects this answer in this state; it would accept, for instance, 3\. The state is 3\n`, report)
	assert.Regexp(t, `with 4 of \d+ operations`, report)
	assert.Contains(t, report, "it happens without a fault")
	assert.Contains(t, report, `{"x":3}`, "the state of that moment")
}

// An answer that only another operation had is not offered in place of a rejected one.
func TestModelIsNotQuotedWithOtherOperations(t *testing.T) {
	c := countsOf(incX, Command("other", func(*rand.Rand) []byte { return inc("y") }))
	c.Virtual, c.Replicas, c.Model = 20*time.Second, 3, porcupine.Model{ // after three of inc, other must be answered with 3
		Init: func() any { return 0 },
		Step: func(state, input, output any) (bool, any) {
			if bytes.Equal(input.([]byte), inc("x")) {
				return true, state.(int) + 1
			}
			return state.(int) < 3 || string(output.([]byte)) == "3", state
		},
	}
	assert.Regexp(t, `→ "\d"\. The model rejects this answer in this state\. The state is \d+\n`, exploring(t, c))
}

// A search ends after a bounded amount of work, even if each run has much to do.
func TestShrinkingIsBoundedByWork(t *testing.T) {
	c := countsOf(incX)
	c.Runs = 1
	c.Invariant = func(m *counts) error {
		if m.get("x") > 10 {
			return errors.New("too many")
		}
		return nil
	}
	setFlag(t, shrinkFlag, 1)
	assert.Contains(t, exploring(t, c), "simplifying it has ended early")
	setFlag(t, shrinkFlag, 100)
	assert.NotContains(t, exploring(t, c), "has ended early")
}

// Two findings never overwrite one file.
func TestFilesAreNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	c := countsOf(incX)
	x, err := c.trial("TestCounts")
	require.NoError(t, err)
	for range 2 {
		r, recording := x.record(t, x.chance(1, false))
		r.Violation = &sim.Violation{Rule: "x"}
		f := &failure{x: x, report: r, again: []again{{}}}
		f.writeIn(dir, recording)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	assert.Len(t, files, 4)
}
