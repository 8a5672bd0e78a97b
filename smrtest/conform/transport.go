package conform

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest/internal/stray"
)

// TestTransport checks that an implementation of smr.Transport keeps its contract. open returns a
// transport that is not open yet, for one of the members "a", "b" and "c", and its address as in
// smr.Member.Addr. All transports must be able to reach each other: those of smr.Network must come from
// one Network. To restart a member, open is called again with its id after its transport was closed; the
// address may change then.
//
//	conform.TestTransport(t, func(t *testing.T, id smr.ID) (smr.Transport, string) {
//		tcp, err := smr.ListenTCP(smr.TCPConfig{Listen: "127.0.0.1:0"})
//		require.NoError(t, err)
//		return tcp, tcp.Addr().String()
//	})
//
// Messages may be lost, but a message that is sent repeatedly for 10 seconds must arrive. At most 128
// MiB may wait for a member that accepts none. The check of greetings is skipped if the transport never
// calls smr.Endpoint.Check. If the first check fails, the others are not run. Run TestTransport with the
// race detector, too.
func TestTransport(t *testing.T, open func(t *testing.T, id smr.ID) (tr smr.Transport, addr string)) {
	t.Helper()
	if open == nil {
		t.Fatal("TestTransport needs open, a function that returns a transport and its address; open is nil")
	}
	for i, c := range transportChecks {
		kept := t.Run(c.name, func(t *testing.T) {
			err := c.try(10*time.Second, func(id smr.ID) (smr.Transport, string) { return open(t, id) })
			if err == errNoGreeting {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
		if i == 0 && !kept {
			t.Log("the other checks need this one to pass, and were not run")
			return
		}
	}
}

// transportCheck drives members through a situation. Members check in transportMember.receive what holds
// in every situation.
type transportCheck struct {
	name string
	run  func(*transportLab) error
}

// try runs the check and closes its members. An error describes the violation of the contract.
func (c transportCheck) try(patience time.Duration, open func(id smr.ID) (smr.Transport, string)) (err error) {
	lab := &transportLab{open: open, patience: patience, addrs: map[smr.ID]string{}}
	label := stray.NewLabel()
	label.Do(func() {
		err = c.run(lab)
		if ended := lab.end(); ended != nil {
			err = errors.Join(err, ended)
		}
	})
	if err == nil {
		err = lab.noneLeft(label)
	}
	return err
}

// transportLab holds the members of one check.
type transportLab struct {
	open     func(id smr.ID) (smr.Transport, string)
	patience time.Duration // how long expected events may take
	sent     atomic.Uint64 // letters written

	mu      sync.Mutex
	addrs   map[smr.ID]string
	members []*transportMember
}

const (
	labMaxMessage = 1 << 20
	labQueue      = 128 << 20
)

// start opens a member's transport. change, if not nil, alters the endpoint first.
func (l *transportLab) start(id smr.ID, change func(e *smr.Endpoint)) (*transportMember, error) {
	m := &transportMember{lab: l, id: id, got: map[letterNumber]bool{}}
	tr, addr := l.open(id)
	m.tr = tr
	e := smr.Endpoint{
		ID:         id,
		Addr:       l.addr,
		MaxMessage: labMaxMessage,
		Hello:      func() []byte { return helloOf(id) },
		Check:      func(smr.ID, []byte) error { return nil },
		Receive:    m.receive,
		Logger:     hclog.NewNullLogger(),
	}
	if change != nil {
		change(&e)
	}
	m.max = e.MaxMessage
	l.mu.Lock()
	l.addrs[id] = addr
	l.members = append(l.members, m)
	l.mu.Unlock()
	if err := tr.Open(e); err != nil {
		return nil, fmt.Errorf("Open of %s: %w", id, err)
	}
	return m, nil
}

// trio starts a, b and c.
func (l *transportLab) trio() (members [3]*transportMember, err error) {
	for i, id := range []smr.ID{"a", "b", "c"} {
		if members[i], err = l.start(id, nil); err != nil {
			return members, err
		}
	}
	return members, nil
}

// pair starts a, and b with a changed endpoint.
func (l *transportLab) pair(change func(e *smr.Endpoint)) (a, b *transportMember, err error) {
	if a, err = l.start("a", nil); err != nil {
		return nil, nil, err
	}
	b, err = l.start("b", change)
	return a, b, err
}

func helloOf(id smr.ID) []byte { return []byte("hello from " + string(id)) }

func (l *transportLab) addr(id smr.ID) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addrs[id]
}

// end closes all members and returns the first violation that one of them has seen.
func (l *transportLab) end() error {
	for _, m := range l.members {
		if err := m.close(); err != nil {
			return err
		}
	}
	for _, m := range l.members {
		if err := m.verdict(); err != nil {
			return fmt.Errorf("%s: %w", m.id, err)
		}
	}
	return nil
}

// noneLeft returns an error unless the goroutines that transports started under label end.
func (l *transportLab) noneLeft(label stray.Label) error {
	stacks := ""
	if l.eventually(func() bool { stacks = label.Stacks(); return stacks == "" }) {
		return nil
	}
	return fmt.Errorf("goroutines are left after Close:\n%s", stacks)
}

// eventually waits for the condition, no longer than patience, and reports whether it held.
func (l *transportLab) eventually(condition func() bool) bool {
	timeout := time.NewTimer(l.patience)
	defer timeout.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-timeout.C:
			return condition()
		}
	}
	return true
}

// within runs f and returns an error if it takes longer than patience.
func (l *transportLab) within(what string, f func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
		return nil
	case <-time.After(l.patience):
		return fmt.Errorf("%s has not returned after %v", what, l.patience)
	}
}

// A letter is a message that names its sender and receiver. Its first 8 bytes determine the others, so
// that damage is visible:
//
//	from (1) | to (1); 0: any | number (6) | bytes from a generator seeded with the first 8

type letterNumber uint64 // the first 8 bytes

const letterHead = 8

func (l *transportLab) letter(from, to smr.ID, size int) []byte {
	msg := make([]byte, size)
	number := letterNumber(l.sent.Add(1)) | letterNumber(from[0])<<56
	if to != "" {
		number |= letterNumber(to[0]) << 48
	}
	binary.BigEndian.PutUint64(msg, uint64(number))
	fillLetter(msg)
	return msg
}

func numberOf(msg []byte) letterNumber { return letterNumber(binary.BigEndian.Uint64(msg)) }

func fillLetter(msg []byte) {
	random := rand.NewPCG(uint64(numberOf(msg)), 0)
	var word [8]byte
	for at := letterHead; at < len(msg); at += len(word) {
		binary.BigEndian.PutUint64(word[:], random.Uint64())
		copy(msg[at:], word[:])
	}
}

// intact returns an error if a letter has not arrived as it was sent.
func intact(msg []byte, from, to smr.ID) error {
	if len(msg) < letterHead {
		return fmt.Errorf("received %d bytes that no member sent", len(msg))
	}
	whole := bytes.Clone(msg)
	fillLetter(whole)
	switch {
	case !bytes.Equal(whole, msg):
		return fmt.Errorf("received a message of %d bytes that was changed on its way", len(msg))
	case smr.ID(msg[:1]) != from:
		return fmt.Errorf("Receive got sender %q for a message that %q sent", from, msg[:1])
	case msg[1] != 0 && smr.ID(msg[1:2]) != to:
		return fmt.Errorf("received a message that was sent to %q", msg[1:2])
	}
	return nil
}
