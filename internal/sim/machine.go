package sim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"runtime/debug"
	"slices"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/excerpt"
	"github.com/smr-go/smr/internal/vsr"
)

// machine is the user's state machine at one place, handled as its contract allows at worst: what
// it must not keep is overwritten, and what it must not do is noticed.
type machine struct {
	work *Work
	user smr.StateMachine
	body []byte     // lent to Apply
	far  bool       // lives where the clock is another
	last *vsr.Entry // that was or is being applied
}

func newMachine(w *Work, far bool) (*machine, error) {
	m := &machine{work: w, far: far && w.Elsewhere != nil}
	err := m.call("New", func() error {
		if m.user = w.New(); m.user == nil {
			return errors.New("New returned no state machine")
		}
		return nil
	})
	return m, err
}

// Rules that a state machine can break, as smrtest.TestStateMachine has them.
const (
	rulePanic         = "a state machine does not panic"
	ruleBody          = "Apply neither keeps nor changes op.Body"
	ruleResult        = "a result is not changed once returned"
	ruleDeterministic = "Apply is deterministic"
	ruleWhole         = "a snapshot holds all that Apply depends on"
	ruleFrozen        = "WriteTo writes the state as Snapshot found it"
	ruleRestore       = "Restore brings the whole state back"
	ruleReplaces      = "Restore replaces what was there"
	ruleNew           = "New returns machines that share nothing, in one and the same state"
	ruleQuery         = "a query changes nothing"
	ruleFails         = "Snapshot, WriteTo and Restore do not fail"
	ruleInvariant     = "the invariant holds"
)

// What machines break that do something else in every run.
const (
	RuleDeterministic = ruleDeterministic
	RuleNew           = ruleNew
)

var machineRules = []string{rulePanic, ruleBody, ruleResult, ruleDeterministic, ruleWhole, ruleFrozen, ruleRestore, ruleReplaces, ruleNew, ruleQuery,
	ruleFails, ruleInvariant}

// OfMachine reports whether it is the user's state machine that is wrong.
func (v *Violation) OfMachine() bool { return slices.Contains(machineRules, v.Rule) }

// broken is a rule of the contract that a machine has broken.
type broken struct {
	rule, text string
	op         uint64 // 0: not known
}

func (b *broken) Error() string { return b.text }

func breaks(rule, format string, args ...any) error {
	return &broken{rule: rule, text: fmt.Sprintf(format, args...)}
}

// guard calls f, and makes an error of its panic.
func guard(what string, f func() error) (err error) {
	defer rescue(what, &err)
	return f()
}

// rescue is deferred: it makes an error of a panic.
func rescue(what string, err *error) {
	if x := recover(); x != nil {
		*err = breaks(rulePanic, "%s panicked: %v\n%s", what, x, debug.Stack())
	}
}

// call calls the user's code where the machine lives, and makes an error of its panic.
func (m *machine) call(what string, f func() error) (err error) {
	defer m.watched(what)()
	if m.far {
		m.work.Elsewhere(func() { err = guard(what, f) })
		return err
	}
	return guard(what, f)
}

// watched has a call of the user's code watched that begins now, until the function is called.
func (m *machine) watched(what string) (ended func() bool) {
	if m.work.Watch == nil {
		return func() bool { return false }
	}
	w, e := m.work, m.last
	return w.Watch(func() string {
		switch {
		case e == nil:
			return what
		case what == "Apply":
			return what + " of " + w.inWords(e)
		}
		return what + " after " + w.inWords(e)
	})
}

// apply applies a command. The body is lent: once Apply has returned it is overwritten.
func (m *machine) apply(e *vsr.Entry) (result []byte, err error) {
	if result, err = m.lend(e); err != nil {
		return nil, err
	}
	if err := m.spoil(result); err != nil {
		return nil, err
	}
	return result, m.invariant()
}

// lend applies a command, and leaves the body as it is.
func (m *machine) lend(e *vsr.Entry) (result []byte, err error) {
	m.last = e
	defer m.watched("Apply")()
	m.body = append(m.body[:0], e.Body...)
	body := m.body[:len(m.body):len(m.body)]
	op := smr.Op{Number: uint64(e.Op), Time: time.Unix(0, e.Time).UTC(), Body: body}
	if m.far {
		result, err = m.actFar(op)
	} else {
		result, err = m.act(op)
	}
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(body, e.Body) {
		return nil, breaks(ruleBody, "it changed it to %s: it is smr's, and other replicas read it", quote(body))
	}
	return result, nil
}

// act calls Apply: call would do, and take memory each time.
func (m *machine) act(op smr.Op) (result []byte, err error) {
	defer rescue("Apply", &err)
	return m.user.Apply(op), nil
}

func (m *machine) actFar(op smr.Op) (result []byte, err error) {
	m.work.Elsewhere(func() { result, err = m.act(op) })
	return result, err
}

// spoil overwrites the body that the last command was lent: otherwise elsewhere than here, so that two
// machines which have kept it differ.
func (m *machine) spoil(result []byte) error {
	before := sumOf(result)
	mask := uint64(0xa5a5a5a5a5a5a5a5)
	if m.far {
		mask = 0x5a5a5a5a5a5a5a5a
	}
	b := m.body
	for ; len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^mask)
	}
	for i := range b {
		b[i] ^= byte(mask)
	}
	if sumOf(result) != before {
		return breaks(ruleBody, "its result is a part of it, which is smr's once Apply has returned: copy it")
	}
	return nil
}

func (m *machine) invariant() error {
	if m.work.Invariant == nil {
		return nil
	}
	err := m.call("Invariant", func() error { return m.work.Invariant(m.user) })
	if _, panicked := errors.AsType[*broken](err); err == nil || panicked {
		return err
	}
	return breaks(ruleInvariant, "%v", err)
}

func (m *machine) digest() uint64 {
	if m.work.Digest == nil {
		return 0
	}
	return m.work.Digest(m.user)
}

// query has a read look at the state, and sees that it changes nothing.
func (m *machine) query(c *Call, at vsr.OpNumber) error {
	before, was, err := m.look()
	if err != nil {
		return err
	}
	what := fmt.Sprintf("the query %s, after op %d,", c.asked(), at)
	err = guard(what, func() error {
		defer m.watched(what)() // a read may end the goroutine
		c.Value = c.Read(m.user)
		return nil
	})
	if b, panicked := errors.AsType[*broken](err); panicked {
		b.op = uint64(at)
		return err
	}
	after, is, err := m.look()
	if err == nil && (was != is || !bytes.Equal(before, after) && m.stable()) {
		err = &broken{ruleQuery, what + " has changed the state: replicas answer queries by themselves, and those that do not answer it are now in another state", uint64(at)}
	}
	return err
}

// look returns what tells the state from another one: its snapshot too, in a careful run.
func (m *machine) look() (state []byte, digest uint64, err error) {
	if m.work.Careful {
		state, err = m.encode()
	}
	return state, m.digest(), err
}

// freeze takes a snapshot, to be written later.
func (m *machine) freeze() (w io.WriterTo, err error) {
	err = m.call("Snapshot", func() error {
		w, err = m.user.Snapshot()
		if err == nil && w == nil {
			err = errors.New("it returned nothing")
		}
		return err
	})
	return w, failed("Snapshot", err)
}

// write returns what a frozen state writes, and closes it.
func write(w io.WriterTo) ([]byte, error) {
	var b bytes.Buffer
	err := writeTo(&b, w)
	return b.Bytes(), err
}

func writeTo(to io.Writer, w io.WriterTo) error {
	err := guard("WriteTo", func() error {
		_, err := w.WriteTo(to)
		return err
	})
	if c, ok := w.(io.Closer); ok {
		err = errors.Join(err, guard("Close", c.Close))
	}
	return failed("WriteTo", err)
}

// failed says that the user's code has returned an error where it must not.
func failed(what string, err error) error {
	if _, isBroken := errors.AsType[*broken](err); err == nil || isBroken {
		return err
	}
	return breaks(ruleFails, "%s: %v", what, err)
}

// encode returns the state as a snapshot has it.
func (m *machine) encode() ([]byte, error) {
	w, err := m.freeze()
	if err != nil {
		return nil, err
	}
	var b []byte
	err = m.call("WriteTo", func() (err error) { b, err = write(w); return err })
	return b, err
}

// sum returns the hash of what encode returns.
func (m *machine) sum() (uint64, error) {
	w, err := m.freeze()
	if err != nil {
		return 0, err
	}
	var h maphash.Hash
	h.SetSeed(sums)
	err = m.call("WriteTo", func() error { return writeTo(&h, w) })
	return h.Sum64(), err
}

// restore replaces the state.
func (m *machine) restore(r io.Reader) error {
	return failed("Restore", m.call("Restore", func() error { return m.user.Restore(r) }))
}

var sums = maphash.MakeSeed()

// sumOf tells byte strings apart within this process.
func sumOf(b []byte) uint64 { return maphash.Bytes(sums, b) }

// stable reports whether two snapshots of one state have the same bytes. One that was written in
// the order of a map cannot be compared with another.
func (m *machine) stable() bool {
	first, err := m.encode()
	for range 16 {
		again, err2 := m.encode()
		if err != nil || err2 != nil || !bytes.Equal(first, again) {
			return false
		}
	}
	return true
}

// quote shows the beginning of b.
func quote(b []byte) string { return excerpt.Of(b) }

// mix takes bytes into a sum that is the same in every process.
func mix(sum uint64, b []byte) uint64 {
	for ; len(b) >= 8; b = b[8:] {
		sum = (sum ^ binary.LittleEndian.Uint64(b)) * 0x9e3779b97f4a7c15
		sum ^= sum >> 31
	}
	for _, c := range b {
		sum = (sum ^ uint64(c)) * 1099511628211
	}
	return sum
}
