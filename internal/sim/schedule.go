package sim

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Schedule is a run written down: the world, and the faults. With the same build and the same work
// it makes the same run. As text it is a line for each setting and each fault:
//
//	# 11.3: 4@1.0 is committed; a view change could choose the log that ends with 3@1.0, …
//	set Seed 4711
//	set Network.Loss 0.01
//	at 1.203s crash a for 400ms seed 17
//	from 2s after b sent DoViewChange 1: cut b a for 1s
//	at 4s split of a,c for 2s
//	at 5s slow-link a b by 20ms for 1s
//	at 5s lossy-link b a losing 250/1000 for 1s
type Schedule struct {
	About  string // what it shows
	Setup  Setup
	Faults []Fault
}

// WriteTo writes the schedule as text.
func (x *Schedule) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	if x.About != "" {
		fmt.Fprintf(&b, "# %s\n", strings.ReplaceAll(x.About, "\n", "\n# "))
	}
	eachSetting(reflect.ValueOf(x.Setup), "", func(name string, v reflect.Value) {
		if !v.IsZero() {
			fmt.Fprintf(&b, "set %s %v\n", name, v.Interface())
		}
	})
	for i := range x.Faults {
		fmt.Fprintln(&b, x.Faults[i].String())
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

// eachSetting calls f for each field that is not a struct, by its dotted name.
func eachSetting(v reflect.Value, prefix string, f func(name string, v reflect.Value)) {
	for i := range v.NumField() {
		name := prefix + v.Type().Field(i).Name
		if v.Field(i).Kind() == reflect.Struct {
			eachSetting(v.Field(i), name+".", f)
		} else {
			f(name, v.Field(i))
		}
	}
}

// ReadSchedule reads what WriteTo wrote. The error names the line.
func ReadSchedule(r io.Reader) (*Schedule, error) {
	x := &Schedule{}
	settings := map[string]reflect.Value{}
	eachSetting(reflect.ValueOf(&x.Setup).Elem(), "", func(name string, v reflect.Value) { settings[name] = v })
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if err := x.read(strings.TrimSpace(line), settings); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return x, x.check()
}

func (x *Schedule) read(line string, settings map[string]reflect.Value) error {
	words := strings.Fields(line)
	switch {
	case len(words) == 0:
	case strings.HasPrefix(line, "#"):
		if x.About != "" {
			x.About += "\n"
		}
		x.About += strings.TrimSpace(line[1:])
	case words[0] == "set" && len(words) == 3:
		v, ok := settings[words[1]]
		if !ok {
			return fmt.Errorf("there is no setting %q", words[1])
		}
		return setTo(v, words[2])
	case words[0] == "set":
		return fmt.Errorf("a setting is: set NAME VALUE")
	default:
		f, err := ParseFault(line)
		if err != nil {
			return err
		}
		x.Faults = append(x.Faults, f)
	}
	return nil
}

func setTo(v reflect.Value, text string) error {
	var err error
	switch v.Interface().(type) {
	case time.Duration:
		var d time.Duration
		d, err = time.ParseDuration(text)
		v.SetInt(int64(d))
	case bool:
		var b bool
		b, err = strconv.ParseBool(text)
		v.SetBool(b)
	case uint64:
		var n uint64
		n, err = strconv.ParseUint(text, 10, 64)
		v.SetUint(n)
	case float64:
		var f float64
		f, err = strconv.ParseFloat(text, 64)
		v.SetFloat(f)
	default:
		var n int64
		n, err = strconv.ParseInt(text, 10, 64)
		v.SetInt(n)
	}
	if v.CanInt() && v.Int() < 0 || v.CanFloat() && !(v.Float() >= 0 && v.Float() <= math.MaxFloat64) {
		return fmt.Errorf("%s: a setting is a number from 0", text)
	}
	return err
}

// check says whether a run can be made of it.
func (x *Schedule) check() error {
	p := &x.Setup
	if p.Replicas < 1 || p.Replicas > 7 {
		return fmt.Errorf("set Replicas is %d; it must be 1 to 7", p.Replicas)
	}
	if (p.Qr != 0 || p.Qv != 0) && (p.Qr < 1 || p.Qv < 1 || p.Qr > p.Replicas || p.Qv > p.Replicas || p.Qr+p.Qv <= p.Replicas) {
		return fmt.Errorf("set Qr and Qv are %d and %d; each must be 1 to %d, and their sum above that", p.Qr, p.Qv, p.Replicas)
	}
	if p.SnapshotEvery < 1 || p.CompareEvery < 1 || p.Heartbeat < time.Millisecond {
		return fmt.Errorf("set SnapshotEvery, CompareEvery and Heartbeat are %d, %d and %v; the first two must be at least 1, the last 1ms", p.SnapshotEvery, p.CompareEvery, p.Heartbeat)
	}
	for i := range x.Faults {
		if err := x.Faults[i].check(p.Replicas); err != nil {
			return err
		}
	}
	return nil
}

// check says whether the fault can happen to one of that many replicas.
func (f *Fault) check(replicas int) error {
	a := cmp.Or(f.After, &Aim{})
	switch {
	case min(f.Host, a.Host) < 0, f.To < 0 && f.Kind != HandOver:
		return fmt.Errorf("%v: only hand-over is to any", f.Kind)
	case max(f.Host, f.To, a.Host) >= replicas:
		return fmt.Errorf("%s: there are %d replicas", f, replicas)
	case f.At < 0 || f.For < 0:
		return fmt.Errorf("%v at %v for %v: times are from 0", f.Kind, f.At, f.For)
	}
	return nil
}

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
