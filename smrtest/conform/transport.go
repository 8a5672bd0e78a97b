// Package conform tests implementations of smr's interfaces other than the state machine, and code
// around replicas:
//
//   - [TestTransport] and [TestDetector] check an implementation of smr.Transport or smr.Detector
//     against its contract: one line in a test.
//   - [Shake] wraps the Transport of a running replica, and loses, repeats, delays and cuts off its
//     messages.
//   - [NewReal] starts a group of real replicas, with their goroutines, for a testing/synctest bubble:
//     time is virtual there, and the race detector sees everything.
//
// State machines are tested by package [github.com/smr-go/smr/smrtest].
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
	"github.com/smr-go/smr/smrtest/internal/leak"
	"github.com/smr-go/smr/smrtest/internal/suite"
)

// TestTransport checks that an implementation of smr.Transport keeps its contract. open returns a transport that is not
// open yet, for one of the members "a", "b" and "c", and its address as in smr.Member.Addr. All transports must be able
// to reach each other: those of smr.Network must come from one Network. To restart a member, open is called again with
// its id after its transport was closed; the address may change then.
//
//	conform.TestTransport(t, func(t *testing.T, id smr.ID) (smr.Transport, string) {
//		tcp, err := smr.ListenTCP(smr.TCPConfig{Listen: "127.0.0.1:0"})
//		require.NoError(t, err)
//		return tcp, tcp.Addr().String()
//	})
//
// Messages may be lost, but a message that is sent 5,000 times, at least 2 ms apart, must arrive. At most 128 MiB may
// wait for a member that accepts none. The check of greetings is skipped if the transport never calls
// smr.Endpoint.Check. If the first check fails, the others are not run. Run TestTransport with the race detector, too.
func TestTransport(t *testing.T, open func(t *testing.T, id smr.ID) (tr smr.Transport, addr string)) {
	t.Helper()
	if open == nil {
		t.Fatal("TestTransport needs open, a function that returns a transport and its address; open is nil")
	}
	var rules []suite.Rule[opening]
	for i, c := range transportChecks {
		rules = append(rules, suite.Rule[opening]{Name: c.name, First: i == 0,
			Check: func(t *testing.T, open opening) error {
				return c.try(5_000, func(id smr.ID) (smr.Transport, string) { return open(t, id) })
			}})
	}
	suite.Enforce(t, rules, open)
}

// opening returns a transport of a member that is not open yet, and its address.
type opening func(t *testing.T, id smr.ID) (tr smr.Transport, addr string)

// transportCheck drives members through a situation. Members check in transportMember.receive what holds in every
// situation.
type transportCheck struct {
	name  string
	start string // the members that are started, such as "ab"
	run   func(l *transportLab, a, b, c *transportMember) error
}

// try runs the check and closes its members. An error describes the violation of the contract.
func (c transportCheck) try(patience int, open func(id smr.ID) (smr.Transport, string)) (err error) {
	lab := &transportLab{open: open, patience: patience, addrs: map[smr.ID]string{}}
	label := leak.NewLabel()
	label.Do(func() {
		var m [3]*transportMember
		for i := 0; err == nil && i < len(c.start); i++ {
			m[c.start[i]-'a'], err = lab.start(smr.ID(c.start[i:i+1]), nil)
		}
		if err == nil {
			err = c.run(lab, m[0], m[1], m[2])
		}
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
	patience int           // ticks for which a check waits for what must happen
	sent     atomic.Uint64 // messages written

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
	m := &transportMember{lab: l, id: id, got: map[messageNumber]bool{}}
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
func (l *transportLab) noneLeft(label leak.Label) error {
	stacks := ""
	if l.eventually(func() bool { stacks = label.Stacks(); return stacks == "" }) {
		return nil
	}
	return fmt.Errorf("goroutines are left after Close:\n%s", stacks)
}

// tick is the shortest time between two looks at a condition. A check waits for a number of ticks and not for a time,
// because a busy machine delays its ticks as well as what it waits for.
const tick = 2 * time.Millisecond

// eventually waits for the condition, for no more ticks than patience, and reports whether it held.
func (l *transportLab) eventually(condition func() bool) bool {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for range l.patience {
		if condition() {
			return true
		}
		<-ticker.C
	}
	return condition()
}

// within runs f and returns an error if it does not return before patience ends.
func (l *transportLab) within(what string, f func()) error {
	var done atomic.Bool
	go func() {
		defer done.Store(true)
		f()
	}()
	if !l.eventually(done.Load) {
		return fmt.Errorf("%s has not returned after %d ticks of %v", what, l.patience, tick)
	}
	return nil
}

// Each message of a check names its sender and receiver. Its first 8 bytes determine the others, so that damage is
// visible:
//
//	from (1) | to (1); 0: any | number (6) | bytes from a generator seeded with the first 8

type messageNumber uint64 // the first 8 bytes

const messageHead = 8

func (l *transportLab) message(from, to smr.ID, size int) []byte {
	msg := make([]byte, size)
	number := messageNumber(l.sent.Add(1)) | messageNumber(from[0])<<56
	if to != "" {
		number |= messageNumber(to[0]) << 48
	}
	binary.BigEndian.PutUint64(msg, uint64(number))
	fillMessage(msg)
	return msg
}

func numberOf(msg []byte) messageNumber { return messageNumber(binary.BigEndian.Uint64(msg)) }

func fillMessage(msg []byte) {
	var seed [32]byte
	copy(seed[:], msg[:messageHead])
	rand.NewChaCha8(seed).Read(msg[messageHead:])
}

// intact returns an error if a message has not arrived as it was sent.
func intact(msg []byte, from, to smr.ID) error {
	if len(msg) < messageHead {
		return fmt.Errorf("received %d bytes that no member sent", len(msg))
	}
	whole := bytes.Clone(msg)
	fillMessage(whole)
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
