package smrtest

import (
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

// tempFiles has a test's files where they are removed.
func tempFiles(t *testing.T) { t.Setenv("TMPDIR", t.TempDir()) }

// alarms returns what failures say at once while the test lasts.
func alarms(t *testing.T) *strings.Builder {
	var b strings.Builder
	setFlag(t, &say, func(text string) { b.WriteString(text + "\n") })
	return &b
}

// setFlag gives a flag a value while the test lasts.
func setFlag[T any](t *testing.T, flag *T, value T) {
	was := *flag
	*flag = value
	t.Cleanup(func() { *flag = was })
}

// countsOf explores counts with operations on one of them.
func countsOf(operations ...Operation) Config[*counts] {
	return Config[*counts]{New: newCounts, Workload: operations, Virtual: 3 * time.Second, Runs: 4}
}

var (
	incX = Command("inc", func(*rand.Rand) []byte { return inc("x") })
	getX = Query("get", func(*rand.Rand) string { return "x" }, (*counts).get)
)

func (m *counts) get(name string) int { return m.N[name] }

// exploring returns how Explore fails; "" if it does not.
func exploring[M smr.StateMachine](t *testing.T, c Config[M]) string {
	tempFiles(t)
	setFlag(t, &say, func(string) {})
	x, err := c.trial("TestCounts")
	require.NoError(t, err)
	h := x.newSearch()
	h.run(t)
	if h.first == nil {
		return ""
	}
	return x.report(t, h.first)
}

// countModel is one count. off is what a wrong model has it begin with.
func countModel(off int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return off },
		Step: func(state, input, output any) (bool, any) {
			if _, ok := input.(string); ok {
				return output == state, state
			}
			return true, state.(int) + 1
		},
	}
}

// A long search logs how far it is after ever more runs, at the latest after another thousand, and not at its end, where it
// logs the totals, nor after a failure.
func TestLongSearchLogsHowFarItIs(t *testing.T) {
	c := countsOf(incX)
	x, err := c.trial("TestCounts")
	require.NoError(t, err)
	s := x.newSearch()
	s.runs = 4000
	var logged []int
	for s.sum.runs = 1; s.sum.runs <= s.runs; s.sum.runs++ {
		if s.passes() {
			logged = append(logged, s.sum.runs)
		}
	}
	require.Equal(t, []int{10, 20, 40, 80, 160, 320, 640, 1280, 2280, 3280}, logged)
	s.sum.runs, s.runs, s.first = 5000, 0, &finding{}
	require.False(t, s.passes())
	s.first = nil
	require.True(t, s.passes())
	s.sum.runs, s.runs, s.logAt = 40, 40, 40
	require.False(t, s.passes())
}

// Answers that the model does not allow are reported, with their operations and porcupine's drawing.
func TestExploreHoldsAnswersAgainstTheModel(t *testing.T) {
	c := countsOf(incX, getX)
	c.Model = countModel(0)
	assert.Empty(t, exploring(t, c))
	c.Model = countModel(1)
	report := exploring(t, c)
	assert.Contains(t, report, "broken rule: what callers see is linearizable by the model")
	assert.Contains(t, report, "x → ")
	assert.Contains(t, report, "-history.html\n      the answers, as porcupine draws them")
	for _, name := range []string{"TestCounts-seed-*[0-9].html", "TestCounts-seed-*[0-9].schedule", "TestCounts-seed-*-history.html"} {
		files, err := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "smrtest-*", name))
		require.NoError(t, err)
		assert.Len(t, files, 1, name)
	}
}

func TestExploreChecksTheInvariant(t *testing.T) {
	c := countsOf(incX)
	c.Invariant = func(m *counts) error {
		if m.get("x") > 4 {
			return errors.New("five is too many")
		}
		return nil
	}
	report := exploring(t, c)
	assert.Contains(t, report, "the Invariant does not hold\nop ")
	assert.Contains(t, report, `, inc "x": five is too many`)
}

func TestExploreComparesDigests(t *testing.T) {
	c := countsOf(incX)
	c.Digest = func(*counts) uint64 { return rand.Uint64() }
	assert.Contains(t, exploring(t, c), "digest")
}

// The lowest seed that fails is reported, whatever the number of cores, and its schedule fails too.
func TestExploreTellsTheFirst(t *testing.T) {
	c := countsOf(incX)
	c.New = buggy("panic")
	report := exploring(t, c)
	x, err := c.trial("TestCounts")
	require.NoError(t, err)
	assert.Contains(t, report, "found with seed "+strconv.FormatUint(seedOf("TestCounts"), 10))
	assert.Contains(t, report, "-run '^TestCounts$' -smrtest.seed="+strconv.FormatUint(seedOf("TestCounts"), 10)+" -smrtest.runs=1")
	_, rest, found := strings.Cut(report, "-smrtest.replay=")
	require.True(t, found)
	file, _, _ := strings.Cut(rest, "\n")
	s, err := x.readSchedule(file)
	require.NoError(t, err)
	assert.Contains(t, s.About, "Apply panicked")
	_, f := x.runSchedule(t, s, "a file")
	require.NotNil(t, f)
	again, _, _ := strings.Cut(f.text(), "\n")
	first, _, _ := strings.Cut(report, "\n")
	assert.Equal(t, first, again)
}

// A failure is reported, and its schedule written, before the run is simplified.
func TestExploreSaysAFailureAtOnce(t *testing.T) {
	tempFiles(t)
	said := alarms(t)
	c := countsOf(incX)
	c.New, c.Runs = buggy("forgets"), 1
	x, err := c.trial("TestCounts/small")
	require.NoError(t, err)
	h := x.newSearch()
	h.run(t)
	require.NotNil(t, h.first)
	assert.Contains(t, said.String(), "smrtest: TestCounts/small: seed "+strconv.FormatUint(h.seed, 10)+": broken rule: ")
	_, rest, _ := strings.Cut(said.String(), "the schedule as found: ")
	file, rest, _ := strings.Cut(rest, "\n")
	assert.Contains(t, rest, "simplifying it, which takes as much work as 100 such runs at most\n")
	s, err := x.readSchedule(file)
	require.NoError(t, err)
	assert.Equal(t, len(h.first.report.Schedule.Faults), len(s.Faults))

	setFlag(t, shrinkFlag, 0)
	report := x.report(t, h.first)
	assert.Contains(t, report, "simplifying it has ended early")
	assert.Contains(t, report, " -smrtest.runs=1 -smrtest.shrink=1000 -timeout=0\n")
	assert.Contains(t, report, strings.TrimSuffix(file, "-as-found.schedule")+".schedule")
	again, err := x.readSchedule(file)
	require.NoError(t, err)
	assert.Equal(t, s.Faults, again.Faults)
}

// The state of a replica is shown, if it can be: by a String method, or by a snapshot that is text.
func TestStateIsShown(t *testing.T) {
	m := newCounts()
	m.Apply(smr.Op{Body: inc("x")})
	assert.Equal(t, `{"x":1}`, stateOf(m))
	for i := range 100 {
		m.Apply(smr.Op{Body: inc("the name of " + strconv.Itoa(i))})
	}
	assert.Len(t, stateOf(m), muchState+len("…"))
	assert.Equal(t, `n=1 last="ann"`, stateOf(&forgetter{n: 1, last: "ann"}))
	for _, bug := range []string{"no snapshot", "binary", "no machine"} {
		var m smr.StateMachine
		if bug != "no machine" {
			m = &saying{buggy(bug)(), "\x00\x01\xff"}
		}
		assert.Empty(t, stateOf(m), bug)
	}
	assert.Equal(t, "käse", stateOf(&saying{newCounts(), "käse\n"}))
}

// saying has a snapshot of its own.
type saying struct {
	*counts
	snapshot string
}

func (m *saying) Snapshot() (io.WriterTo, error) {
	if _, err := m.counts.Snapshot(); err != nil {
		return nil, err
	}
	return strings.NewReader(m.snapshot), nil
}

// Flags say which runs are tried.
func TestExploreFlags(t *testing.T) {
	c := countsOf(incX)
	x, err := c.trial("TestCounts")
	require.NoError(t, err)
	h := x.newSearch()
	assert.Equal(t, seedOf("TestCounts"), h.seed)
	assert.NotEqual(t, seedOf("TestOther"), h.seed)
	setFlag(t, timeFlag, time.Nanosecond)
	h = x.newSearch()
	assert.Zero(t, h.runs)
	assert.NotEqual(t, seedOf("TestCounts"), h.seed)
	_, more := h.next()
	assert.False(t, more, "the time is over")
	setFlag(t, runsFlag, 7)
	setFlag(t, seedFlag, 4711)
	h = x.newSearch()
	assert.Equal(t, 7, h.runs)
	assert.EqualValues(t, 4711, h.seed)
}

// Kept schedules are run first. A file that is not a schedule is reported.
func TestExploreRunsWhatIsKept(t *testing.T) {
	t.Chdir(t.TempDir())
	tempFiles(t)
	c := countsOf(incX)
	c.Virtual = 200 * time.Millisecond
	x, err := c.trial("TestCounts/of x")
	require.NoError(t, err)
	assert.True(t, x.runKept(t), "there are none")
	dir := filepath.Join("testdata", "smrtest", "TestCounts", "of x")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	r := x.run(t, x.chance(1, false))
	var text strings.Builder
	_, err = r.Schedule.WriteTo(&text)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "one.schedule"), []byte(text.String()), 0o644))
	assert.True(t, x.runKept(t))
	_, err = x.readSchedule(filepath.Join(dir, "two.schedule"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	c.New = buggy("panic")
	x, err = c.trial("TestCounts/of x")
	require.NoError(t, err)
	s, err := x.readSchedule(filepath.Join(dir, "one.schedule"))
	require.NoError(t, err)
	_, f := x.runSchedule(t, s, "the schedule one")
	require.NotNil(t, f)
	assert.Contains(t, f.text(), "found with the schedule one\n")
}

// The command that repeats a test names it alone.
func TestExploreCommand(t *testing.T) {
	assert.Contains(t, command("TestKV/a+b", "-x"), `smrtest -run '^TestKV$/^a\+b$' -x`)
}

// Of runs that fail on several cores the one with the lowest number is reported.
func TestExploreKeepsTheLowest(t *testing.T) {
	c := countsOf(incX)
	x, err := c.trial("TestCounts")
	require.NoError(t, err)
	h := x.newSearch()
	for _, number := range []int{5, 3, 4} {
		h.over(t, &finding{number: number})
	}
	assert.Equal(t, 3, h.first.number)
	_, more := h.next()
	assert.False(t, more)
}

// A machine that asks for the year does the same wherever it is in one run, but for the copy that
// lives in another year.
func TestExploreSeesTheYear(t *testing.T) {
	c := countsOf(incX)
	c.New = buggy("year")
	assert.Contains(t, exploring(t, c), "broken rule: Apply is deterministic\nop ")
}

// A machine that sleeps is explored, also where it sleeps in virtual time.
func TestExploreOfOneThatSleeps(t *testing.T) {
	c := countsOf(incX)
	c.New, c.Runs, c.Virtual = buggy("sleeps"), 1, time.Second
	assert.Empty(t, exploring(t, c))
}

// A Config that is not possible is rejected, with the field to change.
func TestExploreNeedsWhatIsRequired(t *testing.T) {
	for want, change := range map[string]func(c *Config[*counts]){
		"Config.New is required":  func(c *Config[*counts]) { c.New = nil },
		"Config.New panicked: no": func(c *Config[*counts]) { c.New = func() *counts { panic("no") } },
		"Workload is empty":       func(c *Config[*counts]) { c.Workload = []Operation{} },
		"Workload has no Command": func(c *Config[*counts]) { c.Workload = []Operation{getX} },
		"body is nil":             func(c *Config[*counts]) { c.Workload = []Operation{Command("x", nil)} },
		"input is nil":            func(c *Config[*counts]) { c.Workload = []Operation{incX, Query("y", nil, (*counts).get)} },
		"read is nil": func(c *Config[*counts]) {
			c.Workload = []Operation{incX, Query[*counts, struct{}, int]("y", nothing, nil)}
		},
		"Config.Model has no Step":            func(c *Config[*counts]) { c.Model.Init = func() any { return 0 } },
		"Config.Model has no Init":            func(c *Config[*counts]) { c.Model.Step = countModel(0).Step },
		"Workload: there is a zero Operation": func(c *Config[*counts]) { c.Workload = []Operation{{}} },
		"a group has 1 to 7":                  func(c *Config[*counts]) { c.Replicas = 8 },
		"must not be negative":                func(c *Config[*counts]) { c.Runs = -1 },
		`query "len" reads a *smrtest.tome`:   func(c *Config[*counts]) { c.Workload = []Operation{Query("len", nothing, (*tome).len)} },
	} {
		c := countsOf(incX)
		change(&c)
		_, err := c.trial("TestCounts")
		assert.ErrorContains(t, err, want)
	}
}

// tome is a machine of another type.
type tome struct{}

func (*tome) Apply(smr.Op) []byte            { return nil }
func (*tome) Snapshot() (io.WriterTo, error) { return strings.NewReader(""), nil }
func (*tome) Restore(io.Reader) error        { return nil }
func (*tome) len(struct{}) int               { return 0 }

func nothing(*rand.Rand) (x struct{}) { return x }

// A run in which too little happens fails, with what to change.
func TestExploreWithNothingToReplicate(t *testing.T) {
	report := exploring(t, countsOf(append(slices.Repeat([]Operation{getX}, 1_000_000), incX)...))
	assert.Contains(t, report, "too little happened to conclude anything\n")
	assert.Contains(t, report, "0 commands were executed")
}

// A machine whose snapshots vary is explored, and a line on stderr reports that its states are not compared.
func TestExploreSaysWhatItDoesNotSee(t *testing.T) {
	c := ledgers("")
	c.New = func() smr.StateMachine { return &jumbled{newLedger("")().(*ledger)} }
	c.Runs = 2
	x, err := c.trial(t.Name())
	require.NoError(t, err)
	h := x.newSearch()
	h.run(t)
	require.Nil(t, h.first)
	said := alarms(t)
	h.warn()
	assert.Contains(t, said.String(), "smrtest: "+t.Name()+": states could not be compared, because snapshots of one state differ")
}

// jumbled writes a byte of chance before its snapshots.
type jumbled struct{ *ledger }

func (m *jumbled) Snapshot() (io.WriterTo, error) {
	w, err := m.ledger.Snapshot()
	return &chance{w}, err
}

func (m *jumbled) Restore(r io.Reader) error {
	if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
		return err
	}
	return m.ledger.Restore(r)
}

type chance struct{ io.WriterTo }

func (c *chance) WriteTo(w io.Writer) (int64, error) {
	if _, err := w.Write([]byte{byte(rand.Uint32())}); err != nil {
		return 0, err
	}
	return c.WriterTo.WriteTo(w)
}

// A state machine that ends its goroutine ends the run, here and elsewhere, and nothing waits for it.
func TestExploreOutlivesGoexit(t *testing.T) {
	for _, year := range []int{time.Now().Year(), 2000} {
		c := countsOf(incX)
		c.Invariant = func(m *counts) error {
			if m.get("x") > 0 && time.Now().Year() == year {
				runtime.Goexit()
			}
			return nil
		}
		assert.Contains(t, exploring(t, c), "has ended its goroutine, as t.FailNow and require do")
	}
}

// Fuzz finds what Explore finds.
func TestFuzzFinds(t *testing.T) {
	tempFiles(t)
	c := ledgers("forgotten field in Restore")
	x, err := c.trial("FuzzLedger")
	require.NoError(t, err)
	for _, script := range fuzzSeeds {
		f := x.fuzz(t, []byte(script))
		require.NotNil(t, f)
		assert.Contains(t, f.text(), "Restore brings the whole state back\nop ")
		assert.Contains(t, f.text(), "-smrtest.replay=")
	}
	require.NoError(t, flag.Set("test.fuzz", "FuzzLedger"))
	defer flag.Set("test.fuzz", "")
	f := x.fuzz(t, nil)
	require.NotNil(t, f)
	assert.Contains(t, f.text(), "smrtest -run '^FuzzLedger$'")
	assert.Empty(t, f.files)
}
