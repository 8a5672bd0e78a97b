package sim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"runtime/debug"
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
}

func newMachine(w *Work) (*machine, error) {
	m := &machine{work: w}
	err := guard("new", func() error {
		if m.user = w.New(); m.user == nil {
			return errors.New("new returned no state machine")
		}
		return nil
	})
	return m, err
}

// Rules that a state machine can break.
const (
	rulePanic         = "panic"
	ruleBody          = "kept or changed body"
	ruleDeterministic = "not deterministic"
	ruleFrozen        = "snapshot not frozen"
	ruleRestore       = "restore incomplete"
	ruleInvariant     = "invariant"
)

// broken is a rule of the contract that a machine has broken.
type broken struct {
	rule, text string
}

func (b *broken) Error() string { return b.text }

func breaks(rule, format string, args ...any) error {
	return &broken{rule, fmt.Sprintf(format, args...)}
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

// apply applies a command. The body is lent: once Apply has returned it is overwritten.
func (m *machine) apply(e *vsr.Entry) (result []byte, err error) {
	m.body = append(m.body[:0], e.Body...)
	body := m.body[:len(m.body):len(m.body)]
	err = guard("Apply", func() error {
		result = m.user.Apply(smr.Op{Number: uint64(e.Op), Time: time.Unix(0, e.Time).UTC(), Body: body})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(body, e.Body) {
		return nil, breaks(ruleBody, "Apply changed op.Body to %s: it is smr's, and shared", quote(body))
	}
	before := sumOf(result)
	for i := range body {
		body[i] ^= 0xa5
	}
	if sumOf(result) != before {
		return nil, breaks(ruleBody, "the result is a part of op.Body, which is smr's once Apply has returned: copy it")
	}
	if m.work.Invariant != nil {
		if err := guard("Invariant", func() error { return m.work.Invariant(m.user) }); err != nil {
			return nil, breaks(ruleInvariant, "%v", err)
		}
	}
	return result, nil
}

func (m *machine) digest() uint64 {
	if m.work.Digest == nil {
		return 0
	}
	return m.work.Digest(m.user)
}

// freeze takes a snapshot, to be written later.
func (m *machine) freeze() (w io.WriterTo, err error) {
	err = guard("Snapshot", func() error {
		w, err = m.user.Snapshot()
		if err == nil && w == nil {
			err = errors.New("Snapshot returned nothing")
		}
		return err
	})
	return w, err
}

// write writes a frozen state and closes it.
func write(w io.WriterTo, to io.Writer) error {
	err := guard("WriteTo", func() error {
		_, err := w.WriteTo(to)
		return err
	})
	if c, ok := w.(io.Closer); ok {
		err = errors.Join(err, guard("Close", c.Close))
	}
	return err
}

// encode returns the state as a snapshot has it.
func (m *machine) encode() ([]byte, error) {
	w, err := m.freeze()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = write(w, &b)
	return b.Bytes(), err
}

// restore replaces the state.
func (m *machine) restore(r io.Reader) error {
	return guard("Restore", func() error { return m.user.Restore(r) })
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
func quote(b []byte) string {
	const most = 60
	if len(b) > most {
		return fmt.Sprintf("%q... of %d bytes", b[:most], len(b))
	}
	return fmt.Sprintf("%q", b)
}

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
