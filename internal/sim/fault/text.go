package fault

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// String returns the fault as a line of a schedule.
func (f *Fault) String() string {
	var b strings.Builder
	if t := f.After; t != nil {
		fmt.Fprintf(&b, "from %v after %s %s", f.At, Name(t.Host), t.When)
		if t.Message != 0 {
			fmt.Fprintf(&b, " %s", t.Message)
		}
		fmt.Fprintf(&b, " %d: ", max(t.Nth, 1))
	} else {
		fmt.Fprintf(&b, "at %v ", f.At)
	}
	b.WriteString(f.Kind.String())
	if !f.Kind.NamesNone() {
		fmt.Fprintf(&b, " %s", Name(f.Host))
	}
	switch {
	case f.Kind.NamesTwo() && f.To < 0:
		b.WriteString(" any")
	case f.Kind.NamesTwo():
		fmt.Fprintf(&b, " %s", Name(f.To))
	}
	b.WriteString(f.amountText())
	if f.For > 0 {
		fmt.Fprintf(&b, " for %v", f.For)
	}
	if f.Seed != 0 {
		fmt.Fprintf(&b, " seed %d", f.Seed)
	}
	return b.String()
}

// amountText returns N in the words of the kind, or as a number if they cannot express it.
func (f *Fault) amountText() string {
	switch f.Kind.row().amount {
	case side:
		if 0 < f.N && f.N < 1<<7 {
			return " of " + strings.Join(f.sideNames(), ",")
		}
	case span, shift:
		if f.N != 0 {
			return " by " + time.Duration(f.N).String()
		}
	case share:
		if f.N > 0 {
			return fmt.Sprintf(" losing %d/1000", f.N)
		}
	}
	if f.N == 0 {
		return ""
	}
	return fmt.Sprintf(" n %d", f.N)
}

// sideNames returns the names of the replicas whose bit in N is set.
func (f *Fault) sideNames() (names []string) {
	for host := range 7 {
		if f.inside(host) {
			names = append(names, Name(host))
		}
	}
	return names
}

// amountForms are examples of N.
var amountForms = [...]string{number: "", count: " n 3", op: " n 7", span: " by 20ms", shift: " by -1h",
	share: " losing 250/1000", side: " of a,c"}

// form returns a line of the kind, without its time, as an example.
func (k Kind) form() string {
	hosts, row := " a b", k.row()
	switch {
	case row.names == everyone:
		hosts = ""
	case row.names == host && row.amount == side:
		return row.name + " b of a" // b is on both sides
	case row.names == host:
		hosts = " a"
	}
	return row.name + hosts + amountForms[row.amount]
}

// Parse reads a line that String wrote. It does not know the group: see Check.
func Parse(line string) (f Fault, err error) {
	w := &words{left: strings.Fields(strings.ReplaceAll(line, ":", " "))}
	switch w.next("a time") {
	case "at":
		f.At = w.duration()
	case "from":
		f.At = w.duration()
		w.expect("after")
		f.After = w.trigger()
	default:
		return f, fmt.Errorf("%q does not begin with at or from", line)
	}
	f.Kind = w.kind()
	if !f.Kind.NamesNone() {
		f.Host = w.host()
	}
	if f.Kind.NamesTwo() {
		f.To = w.host()
	}
	for len(w.left) > 0 && w.err == nil {
		w.argument(&f)
	}
	switch {
	case w.err == nil:
		return f, nil
	case w.form == "":
		return f, fmt.Errorf("%q: %w", line, w.err)
	}
	return f, fmt.Errorf("%q: %w: write %s", line, w.err, w.form)
}

// argument reads a word and the value that follows it.
func (w *words) argument(f *Fault) {
	switch key := w.next("a word"); key {
	case "for":
		w.form = f.Kind.form() + " for 5s"
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
		f.Seed = w.unsigned()
	default:
		w.fail("%q is not one of for, of, by, losing, n and seed", key)
	}
}

func (w *words) kind() Kind {
	word := w.next("the kind of fault")
	var names []string
	for kind := none + 1; kind < Kinds; kind++ {
		if kind.String() == word {
			w.form = kind.form()
			return kind
		}
		names = append(names, kind.String())
	}
	w.fail("%q is not a kind of fault: the kinds are %s", word, List(names))
	return none
}

func (w *words) trigger() *Trigger {
	t := &Trigger{Host: w.host()}
	t.When, t.Message = w.moment()
	t.Nth = max(int(w.integer()), 1)
	return t
}

// moment reads a moment and, if the next word is one, a kind of message; 0: any.
func (w *words) moment() (when Moment, kind vsr.MessageKind) {
	word := w.next("a moment")
	i := slices.Index(momentNames[:], word)
	if i < 0 {
		w.fail("%q is not a moment: the moments are %s", word, List(momentNames[:]))
	}
	if len(w.left) > 0 {
		if kind = vsr.KindNamed(w.left[0]); kind != 0 {
			w.next("a kind of message")
		}
	}
	return Moment(max(i, 0)), kind
}

// ParseMoment reads a moment and, if it names one, the kind of message that it is about; 0: any.
func ParseMoment(text string) (when Moment, kind vsr.MessageKind, err error) {
	w := &words{left: strings.Fields(text)}
	when, kind = w.moment()
	switch rest := len(w.left) > 0; {
	case when != Sent && when != Received && (rest || kind != 0):
		w.fail("the moment %q has no message: only sent and received have", text)
	case rest:
		var kinds []string
		for kind := vsr.MessageKind(1); kind <= vsr.LastKind; kind++ {
			kinds = append(kinds, kind.String())
		}
		w.fail("%q is not a kind of message: the kinds are %s", w.left[0], List(kinds))
	}
	return when, kind, w.err
}

// words reads a line word by word, up to the first word that is wrong.
type words struct {
	left []string
	form string // a line of the fault's kind, without its time; "" until the kind is known
	err  error
}

func (w *words) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// next returns the next word. If the line has ended, the error names the missing word, what.
func (w *words) next(what string) string {
	if len(w.left) == 0 {
		w.fail("%s is missing", what)
		return ""
	}
	word := w.left[0]
	w.left = w.left[1:]
	return word
}

func (w *words) expect(word string) {
	if got := w.next(fmt.Sprintf("the word %q", word)); got != word {
		w.fail("found %q, expected %q", got, word)
	}
}

// parsed reads a word with a function that parses it.
func parsed[T any](w *words, what string, parse func(string) (T, error)) T {
	value, err := parse(w.next(what))
	if err != nil {
		w.fail("%w", err)
	}
	return value
}

func (w *words) duration() time.Duration { return parsed(w, "a duration", time.ParseDuration) }

func (w *words) integer() int64 {
	return parsed(w, "a number", func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
}

func (w *words) unsigned() uint64 {
	return parsed(w, "a number", func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) })
}

func (w *words) host() int { return parsed(w, "a replica", parseHost) }

// parseHost returns the replica that a letter names, whether the group has it or not.
func parseHost(name string) (int, error) {
	switch {
	case name == "any":
		return -1, nil
	case len(name) != 1 || name[0] < 'a' || name[0] > 'z':
		return 0, fmt.Errorf("there is no replica %q: a replica is a letter", name)
	}
	return int(name[0] - 'a'), nil
}

// side reads names with commas between them, as bits.
func (w *words) side() (bits int64) {
	for _, name := range strings.Split(w.next("one side"), ",") {
		host, err := parseHost(name)
		if err != nil {
			w.fail("%w", err)
		}
		bits |= 1 << max(host, 0)
	}
	return bits
}

// thousandths reads how many of 1,000.
func (w *words) thousandths() int64 {
	word, ok := strings.CutSuffix(w.next("a part of 1,000"), "/1000")
	n, err := strconv.ParseInt(word, 10, 64)
	if !ok || err != nil {
		w.fail("%q is not a part of 1,000", word)
	}
	return n
}
