package conform

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

// watch is a detector with a fixed timeout, correct except for its bug.
type watch struct {
	bug      string
	timeout  time.Duration
	last     time.Time
	previous time.Duration // the last gap
	wall     time.Time     // of the last call
	asked    int
}

func newWatch(bug string) func() smr.Detector {
	return func() smr.Detector { return &watch{bug: bug, timeout: time.Second} }
}

func (w *watch) Reset(now time.Time) {
	bug := w.bug
	if bug == "Reset forgets a field" {
		w.last, w.wall = now, time.Now()
		return
	}
	*w = watch{bug: bug, timeout: time.Second, last: now, wall: time.Now()}
}

func (w *watch) Heard(now time.Time) {
	w.previous = now.Sub(w.last)
	w.last, w.wall = now, time.Now()
	if w.bug == "grows" {
		w.timeout += time.Hour
	}
}

func (w *watch) Deadline() time.Time {
	w.asked++
	trust := w.timeout
	switch w.bug {
	case "late":
		trust = 0
	case "ends in the past":
		trust = w.timeout - w.previous
	case "for ever":
		trust = 48 * time.Hour
	case "nervous", "Reset forgets a field":
		if w.previous > 0 {
			trust = w.timeout/20 + w.previous/2
		}
	case "fooled by a burst":
		if w.previous > 0 && w.previous < w.timeout/100 {
			trust = 8 * w.previous
		}
	case "clock":
		return time.Now().Add(trust)
	case "wall clock runs":
		trust += time.Since(w.wall).Truncate(time.Minute)
	case "random":
		trust += time.Duration(rand.IntN(1000))
	case "counts questions":
		trust += time.Duration(w.asked)
	}
	return w.last.Add(trust)
}

func TestDetectorOnAGoodOne(t *testing.T) { TestDetector(t, newWatch("")) }

func TestDetectorFindsBugs(t *testing.T) {
	for _, c := range []struct{ bug, rule, text string }{
		{"late", "trust does not end before it begins", "after Reset, trust is 0s"},
		{"ends in the past", "trust does not end before it begins", "Deadline must be later than the last Heard or Reset"},
		{"for ever", "a silent primary is suspected", "the primary is trusted for 48h0m0s"},
		{"grows", "a silent primary is suspected", "a dead one would not be replaced"},
		{"nervous", "a steady primary is trusted", "sign 2 of 10000, 100ms apart, came too late"},
		{"fooled by a burst", "a burst is not followed by suspicion", "idle after a burst: sign 1 of 100, 100ms apart"},
		{"clock", "only the times given count", "the same times again"},
		{"random", "only the times given count", "the same times again"},
		{"wall clock runs", "Deadline changes nothing", "while the primary was silent, Deadline moved by 1h0m0s"},
		{"counts questions", "Deadline changes nothing", "calls of Deadline in between"},
		{"Reset forgets a field", "Reset starts over", "a new detector and one that was Reset"},
	} {
		t.Run(c.bug, func(t *testing.T) {
			broken := brokenBy(t, newWatch(c.bug))
			require.Contains(t, broken, c.rule)
			assert.ErrorContains(t, broken[c.rule], c.text)
		})
	}
}

// brokenBy returns the checks that a detector does not pass, and why.
func brokenBy(t *testing.T, new func() smr.Detector) map[string]error {
	broken := map[string]error{}
	for _, r := range detectorRules {
		if err := r.Check(t, new); err != nil {
			broken[r.Name] = err
		}
	}
	return broken
}

func TestNewMayNotReturnNil(t *testing.T) {
	assert.Len(t, brokenBy(t, func() smr.Detector { return nil }), len(detectorRules))
}

// A failed check must fail the user's test. That is seen from outside: the test binary runs the suites
// in another process.
func TestFailedChecksFailTheTest(t *testing.T) {
	const variable = "SMRTEST_BROKEN"
	switch os.Getenv(variable) {
	case "no detector":
		TestDetector(t, nil)
		return
	case "no transport":
		TestTransport(t, nil)
		return
	case "detector":
		TestDetector(t, newWatch("counts questions"))
		return
	case "first":
		TestDetector(t, newWatch("late"))
		return
	case "first of a transport":
		TestTransport(t, func(*testing.T, smr.ID) (smr.Transport, string) { return smr.NewNetwork().Transport("z"), "" })
		return
	}
	for what, text := range map[string]string{
		"no detector":          "new is nil",
		"no transport":         "open is nil",
		"detector":             "--- FAIL: TestFailedChecksFailTheTest/Deadline_changes_nothing",
		"first":                "the other rules are not checked until this one holds",
		"first of a transport": "the other rules are not checked until this one holds",
	} {
		t.Run(what, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestFailedChecksFailTheTest$")
			cmd.Env = append(os.Environ(), variable+"="+what)
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "the test passed: %s", out)
			require.Contains(t, string(out), text)
			require.LessOrEqual(t, strings.Count(string(out), "    --- FAIL: "), 1, "one mistake fails one check: %s", out)
		})
	}
}
