package contract

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/excerpt"
)

// Kit makes machines of one kind. All its fields but New may be nil.
type Kit struct {
	// New returns a machine in the initial state.
	New func() smr.StateMachine
	// Digest returns a number that differs for different states. It is cheap, and compared after every operation.
	// Without it states are compared by their snapshots only.
	Digest func(smr.StateMachine) uint64
	// Invariant is checked after every operation that Apply gets.
	Invariant func(smr.StateMachine) error
	// Describe names an operation in errors; without it that is its number and body.
	Describe func(op smr.Op) string
	// Elsewhere calls do where time.Now shows another time, which goes on from call to call.
	Elsewhere func(do func())
	// Watch is called when a call of the user's code begins. The function that it returns is called when the call has
	// ended.
	Watch func(what func() string) (ended func() bool)
	// Careful compares the snapshots around each query, even if there are digests.
	Careful bool
	// Cost grows by 1 with each call of the user's code, and by 1 for each 64 bytes of a snapshot.
	Cost *int64
}

// Place is where a machine lives, and so how its bodies are treated.
type Place uint8

// The places. Here and There overwrite bodies in different ways, so that two machines that kept a body differ.
const (
	Here  Place = iota
	There       // where Kit.Elsewhere calls
	Clean       // here, and bodies stay as they are
)

// Machine is the user's state machine, wrapped: bodies that it must not keep are overwritten, and each breach of the
// contract is noticed.
type Machine struct {
	User smr.StateMachine

	kit   *Kit
	place Place
	lent  smr.Op // with the body that Apply was lent
	given []byte // the original of that body

	memory []byte // of bodies
	size   int    // of the last snapshot that was written or restored
}

// Make returns a machine in the initial state.
func (k *Kit) Make(p Place) (*Machine, error) {
	m := &Machine{kit: k, place: p}
	err := m.call("New", func() error {
		if m.User = k.New(); m.User == nil {
			return errors.New("New returned no state machine")
		}
		return nil
	})
	return m, err
}

// Wrap returns a machine that a user has made. Bodies are overwritten as they are Here.
func Wrap(user smr.StateMachine) *Machine { return &Machine{User: user, kit: &Kit{}} }

// Name returns an operation in words.
func (k *Kit) Name(op smr.Op) string {
	if k.Describe != nil {
		return k.Describe(op)
	}
	return fmt.Sprintf("op %d, %s", op.Number, excerpt.Of(op.Body))
}

// At returns err with the name of the operation that caused it.
func (k *Kit) At(op smr.Op, err error) error {
	if err == nil {
		return nil
	}
	text := fmt.Sprintf("%s: %v", k.Name(op), err)
	if b, ok := errors.AsType[*Broken](err); ok {
		return &Broken{b.Rule, text, op.Number}
	}
	return errors.New(text)
}

// Guard calls f, and makes an error of its panic.
func Guard(what string, f func() error) (err error) {
	defer func() {
		if x := recover(); x != nil {
			err = NoPanic.Broken("%s panicked: %v\n%s", what, x, debug.Stack())
		}
	}()
	return f()
}

// call calls the user's code where the machine lives, and makes an error of its panic.
func (m *Machine) call(what string, f func() error) (err error) {
	return m.callAfter(m.last(), what, f)
}

// callAfter is call for a state that op led to.
func (m *Machine) callAfter(op smr.Op, what string, f func() error) (err error) {
	m.kit.costs(1)
	defer m.watched(op, what)()
	if m.far() {
		m.kit.Elsewhere(func() { err = Guard(what, f) })
		return err
	}
	return Guard(what, f)
}

func (k *Kit) costs(n int) {
	if k.Cost != nil {
		*k.Cost += int64(n)
	}
}

func (m *Machine) far() bool { return m.place == There && m.kit.Elsewhere != nil }

// last returns the operation that was applied last, or is being applied, with the body as it was given; the zero Op if
// there is none.
func (m *Machine) last() smr.Op {
	op := m.lent
	op.Body = m.given
	return op
}

// watched reports to Kit.Watch that a call of the user's code begins, in a state that op led to, until the function
// that it returns is called.
func (m *Machine) watched(op smr.Op, what string) (ended func() bool) {
	k := m.kit
	if k.Watch == nil {
		return func() bool { return false }
	}
	return k.Watch(func() string {
		switch {
		case op.Number == 0:
			return what
		case what == "Apply":
			return what + " of " + k.Name(op)
		}
		return what + " after " + k.Name(op)
	})
}

// Apply applies an operation. The body is lent: once Apply has returned it is overwritten. The result is Apply's own.
func (m *Machine) Apply(op smr.Op) (result []byte, err error) {
	if result, err = m.Lend(op); err != nil {
		return nil, err
	}
	if err := m.Overwrite(result); err != nil {
		return nil, err
	}
	return result, m.invariant()
}

// Lend applies an operation. The machine can use the body until Overwrite.
func (m *Machine) Lend(op smr.Op) (result []byte, err error) {
	m.given = op.Body
	if op.Body == nil || m.place == Clean {
		op.Body = bytes.Clone(op.Body)
	} else {
		m.memory = append(m.memory[:0], op.Body...)
		op.Body = m.memory[:len(op.Body):len(op.Body)]
	}
	m.lent = op
	err = m.call("Apply", func() error { result = m.User.Apply(op); return nil })
	return result, err
}

// Overwrite overwrites the body that was lent last: Apply must not have changed it, and the result must not be a part
// of it.
func (m *Machine) Overwrite(result []byte) error {
	if m.place == Clean {
		return nil
	}
	b := m.lent.Body
	if !bytes.Equal(b, m.given) {
		_, changed := excerpt.Apart(m.given, b)
		return LeavesBody.Broken("Apply changed op.Body to %s", changed)
	}
	before := SumOf(result)
	mask := uint64(0xa5a5a5a5a5a5a5a5)
	if m.place == There {
		mask = 0x5a5a5a5a5a5a5a5a
	}
	for ; len(b) >= 8; b = b[8:] {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^mask)
	}
	for i := range b {
		b[i] ^= byte(mask)
	}
	if SumOf(result) != before {
		return LeavesBody.Broken("the result is a part of op.Body")
	}
	return nil
}

func (m *Machine) invariant() error {
	if m.kit.Invariant == nil {
		return nil
	}
	err := m.call("Invariant", func() error { return m.kit.Invariant(m.User) })
	if err == nil || NoPanic.Breaks(err) {
		return err
	}
	return Invariant.Broken("%v", err)
}

// Digest returns the digest of the state; 0 without Kit.Digest.
func (m *Machine) Digest() uint64 {
	if m.kit.Digest == nil {
		return 0
	}
	return m.kit.Digest(m.User)
}

// Query has a query called what read the state as it is after op number, and checks that it changes nothing: by
// snapshots, or by digests only if there are some.
func (m *Machine) Query(what string, number uint64, read func(smr.StateMachine) any) (value any, err error) {
	return m.query(what, number, read, m.kit.Careful || m.kit.Digest == nil)
}

// Ask is Query, but compares snapshots only with Kit.Careful.
func (m *Machine) Ask(what string, number uint64, read func(smr.StateMachine) any) (value any, err error) {
	return m.query(what, number, read, m.kit.Careful)
}

func (m *Machine) query(what string, number uint64, read func(smr.StateMachine) any, whole bool) (value any, err error) {
	before, was, err := m.look(whole)
	if err != nil {
		return nil, err
	}
	what = fmt.Sprintf("query %s after op %d", excerpt.Of([]byte(what)), number)
	err = Guard(what, func() error {
		defer m.watched(m.last(), what)() // a read may end the goroutine
		value = read(m.User)
		return nil
	})
	if err == nil {
		after, is, err2 := m.look(whole)
		switch err = err2; {
		case err != nil:
		case new(Order).Differ(before, after, m):
			err = PureQuery.Broken("%s changed the state%s", what, parting(before, after))
		case was != is:
			err = PureQuery.Broken("%s changed the state: its digest was %d, and is %d", what, was, is)
		}
	}
	if b, ok := errors.AsType[*Broken](err); ok {
		b.Op = number
	}
	return value, err
}

// look returns the digest of the state and, if it is to be compared whole, a snapshot.
func (m *Machine) look(whole bool) (state []byte, digest uint64, err error) {
	if whole {
		state, err = m.Encode()
	}
	return state, m.Digest(), err
}

// Restore replaces the state.
func (m *Machine) Restore(r io.Reader) error {
	if b, ok := r.(*bytes.Reader); ok {
		m.size = b.Len()
	}
	return failed("Restore", m.call("Restore", func() error { return m.User.Restore(r) }))
}
