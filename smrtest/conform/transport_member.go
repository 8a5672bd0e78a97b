package conform

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest/internal/suite"
)

// transportMember is one end of a transport under test. It checks every message that it receives.
type transportMember struct {
	lab *transportLab
	id  smr.ID
	tr  smr.Transport
	max int

	mu      sync.Mutex
	got     map[messageNumber]bool
	kept    []keptMessage // checked again at the end
	closed  bool          // Close has returned
	trouble error         // the first
}

type keptMessage struct {
	from smr.ID
	msg  []byte
}

const messagesKept = 256

// receive is the Endpoint's Receive. It checks that each message is unchanged, has the right sender and
// receiver, is not above MaxMessage, and does not arrive after Close.
func (m *transportMember) receive(from smr.ID, msg []byte) {
	err := intact(msg, from, m.id)
	if len(msg) > m.max {
		err = fmt.Errorf("received %d bytes: MaxMessage is %d", len(msg), m.max)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		err = errors.New("Receive was called after Close had returned")
	}
	if err != nil {
		if m.trouble == nil {
			m.trouble = err
		}
		return
	}
	m.got[numberOf(msg)] = true
	if len(m.kept) < messagesKept {
		m.kept = append(m.kept, keptMessage{from, msg})
	}
}

// has reports whether a message has arrived.
func (m *transportMember) has(message []byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.got[numberOf(message)]
}

// received returns the number of messages that have arrived.
func (m *transportMember) received() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.got)
}

// close closes the transport, once.
func (m *transportMember) close() error {
	m.mu.Lock()
	closed := m.closed
	m.mu.Unlock()
	if closed {
		return nil
	}
	var err error
	if late := m.lab.within(fmt.Sprintf("Close of %s", m.id), func() { err = m.tr.Close() }); late != nil {
		return late
	}
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	if err != nil {
		return fmt.Errorf("Close of %s: %w", m.id, err)
	}
	return nil
}

// verdict returns the first violation that the member has seen. It checks the messages that it kept again.
func (m *transportMember) verdict() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.trouble != nil {
		return m.trouble
	}
	for _, k := range m.kept {
		if err := intact(k.msg, k.from, m.id); err != nil {
			return fmt.Errorf("after Receive had taken it, a message was changed: %w", err)
		}
	}
	return nil
}

// reaches sends a message repeatedly until it arrives.
func (m *transportMember) reaches(to *transportMember, size int) error {
	message := m.lab.message(m.id, to.id, size)
	arrived := m.lab.eventually(func() bool {
		if to.has(message) {
			return true
		}
		m.tr.Send(to.id, message)
		return false
	})
	if !arrived {
		return fmt.Errorf("a message of %d bytes from %s to %s, sent %d times, has not arrived", size, m.id, to.id, m.lab.patience)
	}
	return nil
}

const errNoGreeting suite.Unable = "the transport never calls Endpoint.Check"

// greeting is b's Check. It refuses a until allow is called.
type greeting struct {
	allowed atomic.Bool
	refused atomic.Int64          // calls
	trouble atomic.Pointer[error] // the last wrong hello
}

var errRefused = errors.New("not yet")

func (g *greeting) check(from smr.ID, hello []byte) error {
	if want := helloOf(from); !bytes.Equal(hello, want) {
		err := fmt.Errorf("Check of %q got the hello %q: it was %q", from, hello, want)
		g.trouble.Store(&err)
	}
	if g.allowed.Load() {
		return nil
	}
	g.refused.Add(1)
	return errRefused
}

// allow makes check succeed from now on. It returns the last wrong hello as an error.
func (g *greeting) allow() error {
	g.allowed.Store(true)
	if err := g.trouble.Load(); err != nil {
		return *err
	}
	return nil
}

// While b refuses a, no message passes in either direction. Then b allows a.
func checkGreeting(l *transportLab, _, _, _ *transportMember) error {
	if err := l.checkRefused(0, 1); err != nil {
		return err
	}
	err := l.checkRefused(1, 0)
	if err == errNoGreeting {
		return errors.New("b's Check is called when a sends to b, but not when b sends to a")
	}
	return err
}

func (l *transportLab) checkRefused(fromPlace, toPlace int) error {
	var greeting greeting
	a, err1 := l.start("a", nil)
	b, err2 := l.start("b", func(e *smr.Endpoint) { e.Check = greeting.check })
	if err := cmp.Or(err1, err2); err != nil {
		return err
	}
	pair := []*transportMember{a, b}
	from, to := pair[fromPlace], pair[toPlace]
	message := l.message(from.id, to.id, 100)
	l.eventually(func() bool {
		from.tr.Send(to.id, message)
		return greeting.refused.Load() >= 2 || to.received() > 0
	})
	switch passed := to.received() > 0; {
	case passed && greeting.refused.Load() == 0:
		return errNoGreeting
	case passed:
		return fmt.Errorf("a message from %s to %s was carried though b's Check refuses a", from.id, to.id)
	case greeting.refused.Load() == 0:
		return fmt.Errorf("a message from %s to %s was neither carried nor was b's Check asked", from.id, to.id)
	}
	if err := greeting.allow(); err != nil {
		return err
	}
	if err := from.reaches(to, 100); err != nil {
		return fmt.Errorf("after b's Check allows a: %w", err)
	}
	return errors.Join(a.close(), b.close(), greeting.allow())
}
