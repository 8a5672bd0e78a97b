package sim

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/smr-go/smr/internal/excerpt"
	"github.com/smr-go/smr/internal/sim/fault"
)

// planned is a call that a schedule asks for.
type planned struct {
	PlannedCall
	made *Call // nil: it has not begun
}

// PlannedCall is an operation of a schedule. It does not depend on how the work chooses operations. Its line has the
// form
//
//	at 1.203s call a by 2: put body "x=1" cancel 300ms op 4
//	at 1.5s call b by 3: get seed 17 as "get \"x\"" op 4
//	finally call c by 1001: put body "x=2" op 5
type PlannedCall struct {
	Final  bool          // it is one of the calls that the healed group must answer, and has no time
	At     time.Duration // it begins then, or once the caller's previous one has ended and the replica is up
	Host   int
	Caller int
	Name   string
	Body   []byte        // of a command; nil: Seed makes the operation
	Seed   uint64        // 0: none
	Text   string        // the operation that Seed made; "": unknown
	Cancel time.Duration // after which the caller gives up; 0: never
	Op     uint64        // its op, or that of the state it read; 0: it had none
}

// muchBody is the number of bytes up to which a schedule contains all bodies. Otherwise it has the seeds of those with
// one.
const muchBody = 1 << 20

func (c *PlannedCall) String() string { return c.line(false) }

// line returns the call as a line, with its seed in place of its body if short is set.
func (c *PlannedCall) line(short bool) string {
	var b strings.Builder
	if c.Final {
		b.WriteString("finally")
	} else {
		fmt.Fprintf(&b, "at %v", c.At)
	}
	fmt.Fprintf(&b, " call %s by %d: %s", fault.Name(c.Host), c.Caller, plainOrQuoted(c.Name))
	switch text := c.Text; {
	case c.Body != nil && !(short && c.Seed != 0):
		fmt.Fprintf(&b, " body %q", c.Body)
	case c.Seed != 0:
		if fmt.Fprintf(&b, " seed %d", c.Seed); c.Body != nil {
			text = excerpt.Of(c.Body)
		}
		if text != "" {
			fmt.Fprintf(&b, " as %q", text)
		}
	}
	if c.Cancel > 0 {
		fmt.Fprintf(&b, " cancel %v", c.Cancel)
	}
	if c.Op > 0 {
		fmt.Fprintf(&b, " op %d", c.Op)
	}
	return b.String()
}

var plainName = regexp.MustCompile(`^[\pL_.-][\pL\pN_.-]*$`)

func plainOrQuoted(name string) string {
	if plainName.MatchString(name) {
		return name
	}
	return strconv.Quote(name)
}

var callLine = regexp.MustCompile(`^(?:at (\S+)|(finally)) call ([a-g]) by (\d+): *(.*)$`)

// parseCall reads a line that String wrote; ok is false if it is no call.
func parseCall(line string) (c PlannedCall, ok bool, err error) {
	m := callLine.FindStringSubmatch(line)
	if m == nil {
		return c, false, nil
	}
	w := callWords{left: m[5]}
	if c.Final = m[2] != ""; !c.Final {
		c.At = parsed(&w, m[1], time.ParseDuration)
	}
	c.Host, c.Caller = int(m[3][0]-'a'), parsed(&w, m[4], strconv.Atoi)
	c.Name = w.next()
	for w.left != "" && w.err == nil {
		switch key := w.next(); key {
		case "body":
			c.Body = []byte(w.next())
		case "seed":
			c.Seed = parsed(&w, w.next(), unsigned)
		case "as":
			c.Text = w.next()
		case "cancel":
			c.Cancel = parsed(&w, w.next(), time.ParseDuration)
		case "op":
			c.Op = parsed(&w, w.next(), unsigned)
		default:
			w.err = fmt.Errorf("%q is not one of body, seed, as, cancel and op", key)
		}
	}
	if w.err == nil && (c.Name == "" || c.At < 0 || c.Cancel < 0) {
		w.err = fmt.Errorf("an operation needs a name, and times that are not negative")
	}
	if w.err != nil {
		return c, true, fmt.Errorf("%q: %w", line, w.err)
	}
	return c, true, nil
}

func unsigned(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) }

// callWords reads words, which may be in quotes.
type callWords struct {
	left string
	err  error
}

func (w *callWords) next() (word string) {
	if strings.HasPrefix(w.left, `"`) {
		quoted, err := strconv.QuotedPrefix(w.left)
		if err != nil {
			w.err = cmp.Or(w.err, fmt.Errorf("a quote does not end"))
			return ""
		}
		word, _ = strconv.Unquote(quoted)
		w.left = strings.TrimLeft(w.left[len(quoted):], " ")
		return word
	}
	word, w.left, _ = strings.Cut(w.left, " ")
	w.left = strings.TrimLeft(w.left, " ")
	return word
}

func parsed[T any](w *callWords, word string, parse func(string) (T, error)) T {
	x, err := parse(word)
	w.err = cmp.Or(w.err, err)
	return x
}

// operation returns the operation of a planned call.
func (w *Work) operation(c *PlannedCall) (Operation, error) {
	if w.Named == nil {
		return Operation{}, fmt.Errorf("the work has no operations with names")
	}
	o, err := w.Named(c.Name, c.Seed, c.Body)
	if err != nil {
		return o, err
	}
	text := o.query()
	if o.Body != nil {
		text = excerpt.Of(o.Body)
	}
	if c.Body == nil && c.Text != "" && c.Text != text {
		return o, fmt.Errorf("seed %d of %q makes %s now, and made %s: the function that makes its operations has changed",
			c.Seed, c.Name, text, c.Text)
	}
	return o, nil
}

// Fits returns an error if the work lacks an operation of the schedule.
func (x *Schedule) Fits(w *Work) error {
	for i := range x.Calls {
		if _, err := w.operation(&x.Calls[i]); err != nil {
			return fmt.Errorf("%s: %w", &x.Calls[i], err)
		}
	}
	return nil
}

// madeCalls returns the calls that the run's callers have made.
func (s *Sim) madeCalls() (all []PlannedCall) {
	for _, c := range s.calls {
		x := PlannedCall{Final: c.final, At: c.Began, Host: c.Host, Caller: c.Caller, Cancel: c.cancel,
			Name: c.Operation.Name, Body: c.Body, Seed: c.Operation.Seed}
		if c.Body == nil && c.Operation.Seed != 0 {
			x.Text = c.query()
		}
		if c.plan != nil {
			x = c.plan.PlannedCall
		}
		if x.Final {
			x.At = 0
		}
		x.Op = s.opOf(c)
		all = append(all, x)
	}
	return all
}

// opOf returns the op of a command, whether its caller knows it or not, or of the state that a read saw; 0: none.
func (s *Sim) opOf(c *Call) uint64 {
	if c.At > 0 || c.Body == nil {
		return c.At
	}
	return uint64(s.judge.OpOf(c.at.shell.Applier.Session(), c.call.Number()))
}

// changed describes the planned calls that did not begin, or did not take effect in the order of the schedule's ops.
func (s *Sim) changed() (all []string) {
	var were, are []uint64 // the ops of the commands that had one
	for _, x := range s.planned {
		if x.Op > 0 && x.made != nil && x.made.Body != nil {
			were, are = append(were, x.Op), append(are, s.opOf(x.made))
		}
	}
	slices.Sort(were)
	slices.Sort(are)
	for _, x := range s.planned {
		why := ""
		switch {
		case x.made == nil && x.Final:
			continue // fewer were needed
		case x.made == nil:
			why = "it never began"
		case x.Op == 0:
			continue // it was under way when the run failed
		case s.opOf(x.made) == 0:
			why = "it has no effect any more"
		default:
			was, is := upTo(were, x.Op), upTo(are, s.opOf(x.made))
			if was == is {
				continue
			}
			why = fmt.Sprintf("%d of the schedule's commands had taken effect then, and now %d", was, is)
		}
		all = append(all, fmt.Sprintf("%s: %s", &x.PlannedCall, why))
	}
	return all
}

// upTo counts the ops up to one of them.
func upTo(ops []uint64, op uint64) int {
	n, _ := slices.BinarySearch(ops, op+1)
	return n
}
