package smrtest

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A broken rule must fail the user's test. That is seen from outside: the test binary runs the
// suites on machines with bugs, in a process of its own.
func TestBrokenRulesFailTheTest(t *testing.T) {
	const variable = "SMRTEST_BROKEN"
	switch os.Getenv(variable) {
	case "machine":
		TestStateMachine(t, newBook("one Read"), bookOps())
		return
	case "first rule":
		TestStateMachine(t, newBook("panic"), bookOps())
		return
	case "forgotten field":
		TestStateMachine(t, newBook("forgotten field"), bookOps())
		return
	case "no operations":
		TestStateMachine(t, newBook(""), nil)
		return
	case "goroutine":
		TestStateMachine(t, newBook("goroutine in Apply"), bookOps())
		return
	case "no new":
		TestStateMachine(t, nil, bookOps())
		return
	}
	for what, text := range map[string]string{
		"machine":         "--- FAIL: TestBrokenRulesFailTheTest/Restore_takes_what_Read_gives_it",
		"forgotten field": "suite_test.go:24: op 3 (ops[0] = \"put a some text 0\"): a machine restored from the snapshot at this point",
		"first rule":      "the other rules are not checked until this one holds",
		"no operations":   "ops is empty",
	} {
		t.Run(what, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestBrokenRulesFailTheTest$")
			cmd.Env = append(os.Environ(), variable+"="+what)
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "the test passed: %s", out)
			require.Contains(t, string(out), text)
			require.LessOrEqual(t, strings.Count(string(out), "    --- FAIL: "), 1, "one mistake breaks one rule: %s", out)
		})
	}
}
