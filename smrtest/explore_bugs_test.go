package smrtest

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest/internal/failing"
)

// ledgers explores a ledger with that mistake.
func ledgers(bug string) Config[smr.StateMachine] {
	ops := ledgerOps()
	return Config[smr.StateMachine]{
		New:      newLedger(bug),
		Workload: []Operation{Command("entry", func(r *rand.Rand) []byte { return ops[r.IntN(len(ops))] })},
		Virtual:  5 * time.Second,
		Runs:     50,
	}
}

// Each mistake is found in a few runs, and reported with the operation that shows it.
func TestExploreFindsTheTen(t *testing.T) {
	for _, b := range plantedBugs() {
		t.Run(b.name, func(t *testing.T) {
			report := exploring(t, ledgers(b.name))
			require.NotEmpty(t, report, "not found")
			first, _, _ := strings.Cut(report, "\n\n")
			assert.Regexp(t, "^broken rule: "+b.rule+"\n([a-e]: )?op ", first)
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

// stuck blocks hoards that take long: a sleep would end at once in a bubble.
var stuck chan struct{}

// pile is what hoards of one bug share.
var pile atomic.Int64

func hoards(bug string) func() *hoard { return func() *hoard { return &hoard{bug: bug} } }

func (h *hoard) Apply(smr.Op) []byte {
	h.N++
	if h.bug == "New shares" {
		pile.Store(int64(h.N))
	}
	switch h.bug {
	case "Apply leaves a goroutine":
		go func() { <-make(chan int) }()
	case "Apply takes long":
		<-stuck
	}
	if h.seen > 1 {
		return []byte("seen")
	}
	return nil
}

func (h *hoard) ask(string) int {
	switch {
	case h.bug == "query changes", h.bug == "query changes at times" && h.N%8 == 3:
		h.N++
	case h.bug == "query changes results":
		h.seen += 2
	}
	return h.N
}

func (h *hoard) Snapshot() (io.WriterTo, error) {
	if h.bug == "New shares" {
		return strings.NewReader(fmt.Sprint(h.N, " ", pile.Load())), nil
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
		"Restore adds":                     "^broken rule: Restore replaces what was there\nop \\d+, add \"x\": a snapshot taken before it, restored over the state after it, gives another state",
		"Restore panics on a used machine": "^broken rule: Restore replaces what was there\nop \\d+, add \"x\": a snapshot taken before it, restored over the state after it, fails: Restore panicked: used",
		"Restore keeps":                    "^broken rule: Restore replaces what was there\nop \\d+, add \"x\": it returned \"\", and, after a snapshot",
		"query changes":                    "^broken rule: a query changes nothing\n[a-e]: query `ask \"y\"` after op \\d+ changed the state",
		"Apply leaves a goroutine":         "^broken rule: methods leave no goroutine behind when they return\nthe state machine left a goroutine behind in one of its methods\n(?s:.*)Apply\\.func1",
		"New shares":                       "^broken rule: New returns machines that share nothing, in one and the same state\n",
	} {
		t.Run(bug, func(t *testing.T) {
			pile.Store(0)
			report := exploring(t, Config[*hoard]{New: hoards(bug), Virtual: 2 * time.Second, Runs: 1, Workload: []Operation{
				Command("add", func(*rand.Rand) []byte { return []byte("x") }),
				Query("ask", func(*rand.Rand) string { return "y" }, (*hoard).ask)}})
			assert.Regexp(t, want, report)
		})
	}
}

// A simulated group finds them too.
func TestGroupFindsMore(t *testing.T) {
	for bug, want := range map[string]string{
		"Restore adds":  "broken rule: Restore replaces what was there\nop ",
		"query changes": "broken rule: a query changes nothing\n",
	} {
		t.Run(bug, func(t *testing.T) {
			assert.Contains(t, failing.Test(t, func(t testing.TB) {
				c := New(t, 3, hoards(bug))
				cl := c.Client()
				cl.MustPropose([]byte("x"))
				cl.MustRead(smr.Linearizable, func(h *hoard) { h.ask("y") })
			}), want)
		})
	}
}

// hanging returns the warnings while do runs. What hangs does so until the first of them.
func hanging(t *testing.T, do func()) string {
	var mu sync.Mutex
	var said strings.Builder
	var warned sync.Once
	stuck = make(chan struct{})
	setFlag(t, &tooLong, 50*time.Millisecond)
	setFlag(t, &say, func(text string) {
		mu.Lock()
		defer mu.Unlock()
		said.WriteString(text + "\n")
		warned.Do(func() { close(stuck) })
	})
	defer time.AfterFunc(10*time.Second, func() { warned.Do(func() { close(stuck) }) }).Stop() // it is not reported
	do()
	mu.Lock()
	defer mu.Unlock()
	return said.String()
}

// A call that does not return is reported while it hangs.
func TestHangsAreSaid(t *testing.T) {
	said := hanging(t, func() {
		x, err := (&Config[*hoard]{New: hoards("Apply takes long"), Workload: []Operation{Command("add", func(*rand.Rand) []byte { return []byte("x") })}}).trial("TestHoard")
		require.NoError(t, err)
		c := x.chance(5, false)
		c.Setup.Trouble, c.Setup.Callers.Think = time.Second, time.Second
		x.run(t, c)
	})
	assert.Regexp(t, `smrtest: Apply of op \d+, add "x" \(TestHoard, seed 5\) has not returned for 50ms`, said)
	said = hanging(t, func() {
		New(t, 1, hoards("Apply takes long")).Client().MustPropose([]byte("x"))
	})
	assert.Regexp(t, `smrtest: Apply of op 3, "x" \(TestHangsAreSaid, seed 1\) has not returned for 50ms`, said)
	said = hanging(t, func() {
		_, err := machinesOf(t, func() smr.StateMachine { return hoards("Apply takes long")() }, [][]byte{[]byte("x")}).applied(1)
		assert.NoError(t, err)
	})
	assert.Equal(t, "smrtest: Apply of op 3 (ops[0] = \"x\") has not returned for 50ms\n", said)
}

// A run that cannot be repeated is reported as such.
func TestExploreTellsWhatDoesNotRepeat(t *testing.T) {
	var times atomic.Int64
	c := countsOf(Command("inc", func(*rand.Rand) []byte { return inc(strings.Repeat("x", int(times.Add(1)))) }))
	c.Runs = 1
	c.Invariant = func(m *counts) error {
		if len(m.N) > 5 {
			return errors.New("too many")
		}
		return nil
	}
	assert.Regexp(t, "^this run differs when it is repeated: (?s:.*)\n\nthe Invariant does not hold\n", exploring(t, c))
	c.Workload = []Operation{Command("inc", func(r *rand.Rand) []byte { return inc(string(rune('a' + r.IntN(26)))) })}
	assert.Regexp(t, "^the Invariant does not hold\n", exploring(t, c))
}
