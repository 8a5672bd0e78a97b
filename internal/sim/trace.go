package sim

import (
	"fmt"
	"strings"
	"time"
)

// trace remembers the last things that happened, as values that are made into text only when
// somebody wants to read them, and a hash of everything: the same seed gives the same.
type trace struct {
	sum  uint64
	ring []traceLine
	next int
}

type traceLine struct {
	at   time.Duration
	who  int
	what string
	args [3]any
}

func newTrace(lines int) trace {
	return trace{sum: 14695981039346656037, ring: make([]traceLine, lines)}
}

// mix takes a number into the hash.
func (t *trace) mix(n uint64) {
	t.sum = (t.sum ^ n) * 1099511628211
	t.sum ^= t.sum >> 29
}

// note adds a line: at that time, who did what. number stands for the arguments in the hash.
func (t *trace) note(at time.Duration, who int, what string, number uint64, args ...any) {
	t.mix(uint64(at))
	t.mix(uint64(who)<<32 ^ uint64(len(what)))
	t.mix(number)
	if len(t.ring) == 0 {
		return
	}
	line := &t.ring[t.next%len(t.ring)]
	*line = traceLine{at: at, who: who, what: what}
	copy(line.args[:], args)
	t.next++
}

// String returns the lines that are remembered, oldest first.
func (t *trace) String() string {
	var b strings.Builder
	for i := max(0, t.next-len(t.ring)); i < t.next; i++ {
		b.WriteString(t.ring[i%len(t.ring)].String())
		b.WriteByte('\n')
	}
	return b.String()
}

func (l *traceLine) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%12.6f ", l.at.Seconds())
	if l.who >= 0 {
		fmt.Fprintf(&b, "%s  ", name(l.who))
	}
	b.WriteString(l.what)
	for _, a := range l.args {
		if a != nil {
			fmt.Fprintf(&b, " %s", show(a))
		}
	}
	return b.String()
}
