package smrtest

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

// ledgers explores a ledger with that mistake.
func ledgers(bug string) Config[smr.StateMachine] {
	ops := ledgerOps()
	return Config[smr.StateMachine]{
		New:      newLedger(bug),
		Workload: Mix(Command("entry", func(r *rand.Rand) []byte { return ops[r.IntN(len(ops))] })),
		Virtual:  5 * time.Second,
		Runs:     50,
	}
}

// Each mistake is found in a few runs, and told with the operation at which it is made.
func TestExploreFindsTheTen(t *testing.T) {
	rules := map[string]string{
		"result from a field that is not state": "a snapshot holds all that Apply depends on",
		"panic on one op":                       "a state machine does not panic",
	}
	for _, b := range plantedBugs() {
		t.Run(b.name, func(t *testing.T) {
			report := exploring(t, ledgers(b.name))
			require.NotEmpty(t, report, "not found")
			rule, ok := rules[b.name]
			if !ok {
				rule = b.rule
			}
			first, _, _ := strings.Cut(report, "\n\n")
			assert.Regexp(t, "^this rule is broken: "+rule+"\n([a-e]: )?op ", first)
			if b.name != "snapshot that is not frozen" { // there it is whichever changes something first
				assert.Contains(t, first, `, entry "`+strings.Fields(b.at)[0])
			}
			assert.Contains(t, report, "-smrtest.replay=")
		})
	}
}

// Without a mistake the same machine passes.
func TestExploreTheLedger(t *testing.T) {
	assert.Empty(t, exploring(t, ledgers("")))
}

// hoard is a sum and how often it was asked for, with a mistake.
type hoard struct {
	N    int
	bug  string
	seen int
}

// pile is what hoards of one bug share.
var pile = map[string]int{}

func hoards(bug string) func() *hoard { return func() *hoard { return &hoard{bug: bug} } }

func (h *hoard) Apply(smr.Op) []byte {
	h.N++
	if h.bug == "New shares" {
		pile["n"] = h.N
	}
	if h.seen > 1 {
		return []byte("seen")
	}
	return nil
}

func (h *hoard) ask(string) int {
	if h.bug == "query changes" {
		h.N++
	}
	return h.N
}

func (h *hoard) Snapshot() (io.WriterTo, error) {
	if h.bug == "New shares" {
		return strings.NewReader(fmt.Sprint(h.N, pile)), nil
	}
	return strings.NewReader(fmt.Sprint(h.N)), nil
}

func (h *hoard) Restore(r io.Reader) error {
	if h.bug == "Restore panics on a used machine" && h.N > 0 {
		panic("used")
	}
	was := h.N
	if _, err := fmt.Fscan(r, &h.N); err != nil {
		return err
	}
	switch h.bug {
	case "Restore adds":
		h.N += was
	case "Restore keeps":
		h.seen++ // New does not
	}
	return nil
}

// Each is found at once, by a rule of its own.
func TestExploreFindsMore(t *testing.T) {
	for bug, want := range map[string]string{
		"Restore adds":                     "^this rule is broken: Restore replaces what was there\nop \\d+, add \"x\": a snapshot taken before it, restored over the state after it, gives another state",
		"Restore panics on a used machine": "^this rule is broken: Restore replaces what was there\nop \\d+, add \"x\": a snapshot taken before it, restored over the state after it, fails: Restore panicked: used",
		"Restore keeps":                    "^this rule is broken: Restore replaces what was there\nop \\d+, add \"x\": it returned \"\", and, after a snapshot",
		"query changes":                    "^this rule is broken: a query changes nothing\n[a-e]: the query ask, after op \\d+, has changed the state",
		"New shares":                       "^this rule is broken: New returns machines that share nothing, in one and the same state\n",
	} {
		t.Run(bug, func(t *testing.T) {
			clear(pile)
			report := exploring(t, Config[*hoard]{New: hoards(bug), Virtual: 2 * time.Second, Runs: 1, Workload: Mix(
				Command("add", func(*rand.Rand) []byte { return []byte("x") }),
				Query("ask", func(*rand.Rand) string { return "y" }, (*hoard).ask))})
			assert.Regexp(t, want, report)
		})
	}
}

// A simulated group finds them too.
func TestGroupFindsMore(t *testing.T) {
	for bug, want := range map[string]string{
		"Restore adds":  "this rule is broken: Restore replaces what was there\nop ",
		"query changes": "this rule is broken: a query changes nothing\n",
	} {
		t.Run(bug, func(t *testing.T) {
			assert.Contains(t, failing(t, func(t testing.TB) {
				c := New(t, 3, hoards(bug))
				cl := c.Client()
				cl.MustPropose([]byte("x"))
				cl.MustRead(smr.Linearizable, func(h *hoard) { h.ask("y") })
			}), want)
		})
	}
}
