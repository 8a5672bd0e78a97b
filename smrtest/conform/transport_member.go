package conform

import (
	"errors"
	"fmt"
	"sync"

	"github.com/smr-go/smr"
)

// transportMember is one end of a transport under test. It checks every message that it receives.
type transportMember struct {
	lab *transportLab
	id  smr.ID
	tr  smr.Transport
	max int

	mu      sync.Mutex
	got     map[letterNumber]bool
	kept    []keptLetter // checked again at the end
	closed  bool         // Close has returned
	trouble error        // the first
}

type keptLetter struct {
	from smr.ID
	msg  []byte
}

const lettersKept = 256

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
	if len(m.kept) < lettersKept {
		m.kept = append(m.kept, keptLetter{from, msg})
	}
}

// has reports whether a letter has arrived.
func (m *transportMember) has(letter []byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.got[numberOf(letter)]
}

// received returns the number of letters that have arrived.
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

// verdict returns the first violation that the member has seen. It checks the letters that it kept again.
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

// reaches sends a letter repeatedly until it arrives.
func (m *transportMember) reaches(to *transportMember, size int) error {
	letter := m.lab.letter(m.id, to.id, size)
	arrived := m.lab.eventually(func() bool {
		if to.has(letter) {
			return true
		}
		m.tr.Send(to.id, letter)
		return false
	})
	if !arrived {
		return fmt.Errorf("a message of %d bytes from %s to %s, sent again and again, has not arrived after %v",
			size, m.id, to.id, m.lab.patience)
	}
	return nil
}
