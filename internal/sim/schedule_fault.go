package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// String is the fault as a line of a schedule.
func (f *Fault) String() string {
	var b strings.Builder
	if a := f.After; a != nil {
		fmt.Fprintf(&b, "from %v after %s %s", f.At, Name(a.Host), a.When)
		if a.Message != 0 {
			fmt.Fprintf(&b, " %s", a.Message)
		}
		fmt.Fprintf(&b, " %d: ", max(a.Nth, 1))
	} else {
		fmt.Fprintf(&b, "at %v ", f.At)
	}
	b.WriteString(f.Kind.String())
	if !f.Kind.ofAll() {
		fmt.Fprintf(&b, " %s", Name(f.Host))
	}
	if f.Kind.hasTo() {
		if f.To < 0 {
			b.WriteString(" any")
		} else {
			fmt.Fprintf(&b, " %s", Name(f.To))
		}
	}
	b.WriteString(f.amount())
	if f.For > 0 {
		fmt.Fprintf(&b, " for %v", f.For)
	}
	if f.Seed != 0 {
		fmt.Fprintf(&b, " seed %d", f.Seed)
	}
	return b.String()
}

// amount is N in the words that suit the kind: who is on one side, how much longer something takes,
// what part is lost.
func (f *Fault) amount() string {
	switch {
	case f.N == 0:
		return ""
	case f.Kind.chooses() && f.N > 0 && f.N < 1<<7:
		var side []string
		for i := range 7 {
			if f.N&(1<<i) != 0 {
				side = append(side, Name(i))
			}
		}
		return " of " + strings.Join(side, ",")
	case f.Kind.isSpan():
		return " by " + time.Duration(f.N).String()
	case f.Kind == LossyLink && f.N > 0:
		return fmt.Sprintf(" losing %d/1000", f.N)
	}
	return fmt.Sprintf(" n %d", f.N)
}

// isSpan reports whether the kind's N is a time.
func (k Kind) isSpan() bool {
	switch k {
	case SlowTurns, SlowLink, ClockJump, SlowDisk:
		return true
	}
	return false
}

// ParseFault reads a line that String wrote.
func ParseFault(line string) (f Fault, err error) {
	w := &words{left: strings.Fields(strings.ReplaceAll(line, ":", " "))}
	switch first := w.next(); first {
	case "at":
		f.At = w.duration()
	case "from":
		f.At = w.duration()
		w.expect("after")
		f.After = w.aim()
	default:
		return f, fmt.Errorf("%q: a fault begins with at or from", line)
	}
	f.Kind = w.kind()
	if !f.Kind.ofAll() {
		f.Host = w.host()
	}
	if f.Kind.hasTo() {
		f.To = w.host()
	}
	for len(w.left) > 0 && w.err == nil {
		switch key := w.next(); key {
		case "for":
			f.For = w.duration()
		case "n":
			f.N = w.integer()
		case "of":
			f.N = w.side()
		case "by":
			f.N = int64(w.duration())
		case "losing":
			f.N = w.thousandths()
		case "seed":
			f.Seed = uint64(w.unsigned())
		default:
			w.fail("%q is none of for, of, by, losing, n, seed", key)
		}
	}
	if w.err != nil {
		return f, fmt.Errorf("%q: %w", line, w.err)
	}
	return f, nil
}

// words reads a line word by word, up to the first that is wrong.
type words struct {
	left []string
	err  error
}

func (w *words) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *words) next() string {
	if len(w.left) == 0 {
		w.fail("the line ends too soon")
		return ""
	}
	word := w.left[0]
	w.left = w.left[1:]
	return word
}

func (w *words) expect(word string) {
	if got := w.next(); got != word {
		w.fail("%q stands where %q should", got, word)
	}
}

func (w *words) duration() time.Duration {
	d, err := time.ParseDuration(w.next())
	if err != nil {
		w.fail("%w", err)
	}
	return d
}

func (w *words) integer() int64 {
	n, err := strconv.ParseInt(w.next(), 10, 64)
	if err != nil {
		w.fail("%w", err)
	}
	return n
}

func (w *words) unsigned() uint64 {
	n, err := strconv.ParseUint(w.next(), 10, 64)
	if err != nil {
		w.fail("%w", err)
	}
	return n
}

func (w *words) host() int {
	word := w.next()
	if word == "any" {
		return -1
	}
	if len(word) != 1 || word[0] < 'a' || word[0] > 'g' {
		w.fail("%q is no replica: a to g", word)
		return 0
	}
	return int(word[0] - 'a')
}

// side reads names with commas between them, as bits.
func (w *words) side() (n int64) {
	for _, name := range strings.Split(w.next(), ",") {
		one := words{left: []string{name}}
		if n |= 1 << max(one.host(), 0); one.err != nil {
			w.fail("%w", one.err)
		}
	}
	return n
}

// thousandths reads how many of 1,000.
func (w *words) thousandths() int64 {
	word, ok := strings.CutSuffix(w.next(), "/1000")
	n, err := strconv.ParseInt(word, 10, 64)
	if !ok || err != nil {
		w.fail("%q is not so many of 1,000, as 250/1000", word)
	}
	return n
}

func (w *words) kind() Kind {
	word := w.next()
	for k, name := range kindNames {
		if name == word && k > 0 {
			return Kind(k)
		}
	}
	w.fail("%q is no kind of fault", word)
	return noFault
}

func (w *words) aim() *Aim {
	a := &Aim{Host: w.host(), When: moments}
	word := w.next()
	for m, name := range momentNames {
		if name == word {
			a.When = Moment(m)
		}
	}
	if a.When == moments {
		w.fail("%q is no moment", word)
	}
	if len(w.left) > 0 && MessageNamed(w.left[0]) != 0 {
		a.Message = MessageNamed(w.next())
	}
	a.Nth = max(int(w.integer()), 1)
	return a
}
