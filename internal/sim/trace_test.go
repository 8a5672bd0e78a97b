package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/excerpt"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/words"
)

// Trace is a Watcher that keeps the latest events as text. Its methods without a comment are those of
// Watcher.
type Trace struct {
	lines []string
	next  int
	sent  map[uint64]string // messages under way, in words
}

// NewTrace returns a trace of that many lines.
func NewTrace(lines int) *Trace {
	return &Trace{lines: make([]string, max(lines, 1)), sent: map[uint64]string{}}
}

func (t *Trace) add(at time.Duration, host int, format string, args ...any) {
	who := "-"
	if host >= 0 {
		who = fault.Name(host)
	}
	t.lines[t.next%len(t.lines)] = fmt.Sprintf("%12.6f %s  %s", at.Seconds(), who, fmt.Sprintf(format, args...))
	t.next++
}

// String returns the kept lines, oldest first.
func (t *Trace) String() string { return t.Last(len(t.lines)) }

// Last returns the last n lines.
func (t *Trace) Last(n int) string {
	var b strings.Builder
	for i := max(0, t.next-min(n, len(t.lines))); i < t.next; i++ {
		b.WriteString(t.lines[i%len(t.lines)])
		b.WriteByte('\n')
	}
	return b.String()
}

func (t *Trace) Note(at time.Duration, host int, what string, args []any) {
	t.add(at, host, what, args...)
}

func (t *Trace) Sent(at time.Duration, id uint64, from, to int, m vsr.Message) {
	text := words.Message(m)
	t.sent[id] = fmt.Sprintf("%s → %s  %s", fault.Name(from), fault.Name(to), text)
	t.add(at, from, "→ %s  %s", fault.Name(to), text)
}

func (t *Trace) Ended(at time.Duration, id uint64, fate world.Fate) {
	t.add(at, -1, "%s: %s", fateNames[fate], t.sent[id])
}

var fateNames = [...]string{"arrives", "is lost", "is cut off", "finds no process"}

func (t *Trace) Turned(time.Duration, int, *vsr.State) {}

func (t *Trace) Called(at time.Duration, c *Call) { t.add(at, c.Host, "is called: %s", c) }

func (t *Trace) Returned(at time.Duration, c *Call) { t.add(at, c.Host, "returns: %s", c) }

func (t *Trace) Executed(at time.Duration, what string, _ smr.Op, result []byte, _ smr.StateMachine) {
	t.add(at, -1, "%s is executed: %s", what, excerpt.Of(result))
}

func (t *Trace) Faulted(at time.Duration, f *fault.Fault) { t.add(at, -1, "%s", f) }

func (t *Trace) Linked(time.Duration, int, int, bool) {}

func (t *Trace) Lived(at time.Duration, host int, up bool) {
	t.add(at, host, "%s", map[bool]string{true: "starts", false: "ends"}[up])
}
