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
	"github.com/smr-go/smr/internal/vsr"
)

// machine is the user's state machine at one place, handled as its contract allows at worst: what
// it must not keep is overwritten, and what it must not do is noticed.
type machine struct {
	work *Work
	user smr.StateMachine
	body []byte // lent to Apply
	far  bool   // lives where the clock is another
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
	ruleFails         = "Snapshot, WriteTo and Restore do not fail"
	ruleInvariant     = "the invariant holds"
)

var machineRules = []string{rulePanic, ruleBody, ruleResult, ruleDeterministic, ruleWhole, ruleFrozen, ruleRestore, ruleFails, ruleInvariant}

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
	defer func() {
		if x := recover(); x != nil {
			err = breaks(rulePanic, "%s panicked: %v\n%s", what, x, debug.Stack())
		}
	}()
	return f()
}

// call calls the user's code where the machine lives, and makes an error of its panic.
func (m *machine) call(what string, f func() error) (err error) {
	if m.far {
		m.work.Elsewhere(func() { err = guard(what, f) })
		return err
	}
	return guard(what, f)
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
	m.body = append(m.body[:0], e.Body...)
	body := m.body[:len(m.body):len(m.body)]
	err = m.call("Apply", func() error {
		result = m.user.Apply(smr.Op{Number: uint64(e.Op), Time: time.Unix(0, e.Time).UTC(), Body: body})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(body, e.Body) {
		return nil, breaks(ruleBody, "it changed it to %s: it is smr's, and other replicas read it", quote(body))
	}
	return result, nil
}

// spoil overwrites the body that the last command was lent: otherwise elsewhere than here, so that two
// machines which have kept it differ.
func (m *machine) spoil(result []byte) error {
	before := sumOf(result)
	mask := byte(0xa5)
	if m.far {
		mask = 0x5a
	}
	for i := range m.body {
		m.body[i] ^= mask
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
	err := guard("WriteTo", func() error {
		_, err := w.WriteTo(&b)
		return err
	})
	if c, ok := w.(io.Closer); ok {
		err = errors.Join(err, guard("Close", c.Close))
	}
	return b.Bytes(), failed("WriteTo", err)
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
func quote(b []byte) string { return Quote(b) }

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
