package smrtest

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest/internal/suite"
)

// Whatever a test is called, another process finds it, and the call in it.
func TestAnotherProcessFindsTheCall(t *testing.T) {
	for _, name := range []string{"plain", "two words", "a/b//c", "(", "[a", "x|y", "^.*$", `back\slash`, "tab\t", "ünï", "", "#01", "plain"} {
		t.Run(name, func(t *testing.T) {
			t.Run("inner", func(t *testing.T) {
				machinesOf(t, newBook(""), blindOps())
				second := machinesOf(t, func() smr.StateMachine { return &homesick{how: "panics"} }, blindOps())
				machinesOf(t, newBook(""), blindOps())
				require.ErrorContains(t, ignoresProcess(t, second), "where am I?")
			})
		})
	}
}

// Operations may be others each time that the test runs.
func TestAnotherProcessGetsTheOperations(t *testing.T) {
	ops := [][]byte{nil, {}, []byte(time.Now().String())}
	require.NoError(t, ignoresProcess(t, machinesOf(t, func() smr.StateMachine { return echo{} }, ops)))
	require.NoError(t, ignoresProcess(t, machinesOf(t, func() smr.StateMachine { return &nilling{} }, ops)))
}

// nilling tells a body that is nil from one that is empty.
type nilling struct{ echo }

func (nilling) Apply(op smr.Op) []byte {
	if op.Body == nil {
		return []byte("nil")
	}
	return op.Body
}

func TestAnotherProcessHasAnotherTimeZone(t *testing.T) {
	if _, err := time.LoadLocation(otherZone()); err != nil {
		t.Skip(err)
	}
	err := ignoresProcess(t, machinesOf(t, newBook("time zone"), bookOps()))
	require.ErrorContains(t, err, `"when"): it returned`)
}

// A process that does not come to the call, for whatever reason, says nothing about the machine.
func TestAnotherProcessThatGoesAstray(t *testing.T) {
	for name, stray := range map[string]func(t *testing.T){
		"skips": func(t *testing.T) { t.Skip("astray") },
		"exits": func(*testing.T) { os.Stderr.WriteString("astray"); os.Exit(3) },
		"hangs": func(*testing.T) { select {} },
	} {
		t.Run(name, func(t *testing.T) {
			if child != nil {
				stray(t)
			}
			m := machinesOf(t, newBook(""), bookOps())
			if name == "hangs" {
				m.patience = 50 * time.Millisecond
			}
			err := ignoresProcess(t, m)
			require.True(t, suite.IsUnable(err), "%v", err)
			require.ErrorContains(t, err, "did not come to call 1 of TestStateMachine in "+t.Name())
			require.ErrorContains(t, err, map[string]string{"skips": "it ended", "exits": "astray", "hangs": "killed after 50ms"}[name])
		})
	}
}

// One that comes to the call, and no further, is the machine's fault.
func TestAnotherProcessInWhichAMachineFails(t *testing.T) {
	for name, want := range map[string]string{
		"exits":  "did not come to the end of the operations: exit status 3",
		"panics": "(ops[0] = \"put a some text 0\"): in another process: Apply panicked: where am I?",
	} {
		t.Run(name, func(t *testing.T) {
			err := ignoresProcess(t, machinesOf(t, func() smr.StateMachine { return &homesick{how: name} }, bookOps()))
			require.False(t, suite.IsUnable(err), "%v", err)
			require.ErrorContains(t, err, want)
		})
	}
}

// homesick fails in other processes.
type homesick struct {
	echo
	how string
}

func (h *homesick) Apply(smr.Op) []byte {
	switch {
	case child == nil:
	case h.how == "exits":
		os.Exit(3)
	case h.how == "panics":
		panic("where am I?")
	}
	return nil
}

var _ = flag.String("smrtest.word", "", "a flag of the test's own")

// Other processes get the flags of the user, and of package testing's none that would have them
// write what this one writes.
func TestAnotherProcessGetsTheFlags(t *testing.T) {
	was := flag.Lookup("smrtest.word").Value.String()
	require.NoError(t, flag.Set("smrtest.word", "two words"))
	t.Cleanup(func() { require.NoError(t, flag.Set("smrtest.word", was)) })
	cmd, err := call{Test: t.Name()}.command(t.Context(), t.TempDir(), nil)
	require.NoError(t, err)
	assert.Contains(t, cmd.Args, "-smrtest.word=two words")
	assert.Contains(t, cmd.Args, "-test.run=^TestAnotherProcessGetsTheFlags$")
	for _, arg := range cmd.Args[1:] {
		if name, _, _ := strings.Cut(arg, "="); strings.HasPrefix(name, "-test.") {
			assert.Contains(t, []string{"-test.run", "-test.count", "-test.timeout", "-test.short"}, name)
		}
	}
}

// What the test left behind in the other process, which ends at the call, is removed; processes
// that the other starts are not children of this kind.
func TestAnotherProcessLeavesNothing(t *testing.T) {
	given := os.TempDir()
	if child != nil {
		assert.Empty(t, os.Getenv(childVariable))
		_, err := os.MkdirTemp("", "left")
		assert.NoError(t, err)
		assert.Regexp(t, "^smrtest[0-9]+$", filepath.Base(given))
		if t.Failed() {
			os.Exit(1)
		}
	}
	scratch := t.TempDir()
	for _, variable := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(variable, scratch)
	}
	if child != nil {
		for _, variable := range []string{"TMPDIR", "TMP", "TEMP"} {
			t.Setenv(variable, given)
		}
	}
	require.NoError(t, ignoresProcess(t, machinesOf(t, newBook(""), bookOps())))
	left, err := os.ReadDir(scratch)
	require.NoError(t, err)
	require.Empty(t, left)
}

// The suite can be called by a fuzz target. What the fuzzer makes up it checks in one process.
func FuzzTestStateMachine(f *testing.F) {
	f.Add([]byte("one|two||three"))
	f.Fuzz(func(t *testing.T, text []byte) {
		ops := slices.Collect(func(yield func([]byte) bool) {
			for op := range strings.SplitSeq(string(text), "|") {
				if !yield([]byte(op)) {
					return
				}
			}
		})
		TestStateMachine(t, func() smr.StateMachine { return new(counter) }, ops)
	})
}
