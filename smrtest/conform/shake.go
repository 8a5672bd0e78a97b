package conform

import (
	"errors"
	"sync"
	"time"

	"github.com/smr-go/smr"
)

// Shake returns a Transport that carries messages by tr and, once told to, loses, repeats and
// delays them and cuts links: to shake replicas of a program as it runs. Give each replica's
// Transport a Shaken of its own.
//
//	tcp, err := smr.ListenTCP(smr.TCPConfig{Listen: ":7001"})
//	...
//	shaken := conform.Shake(tcp, seed)
//	replica, err := smr.Start(smr.Config{Transport: shaken, ...})
//	...
//	shaken.Disturb(conform.Disturbance{Lose: 0.05, MaxDelay: 30 * time.Millisecond})
//	shaken.CutTo("b") // b hears this replica no more, but is heard
//
// The seed fixes, for each member that messages are sent to, what befalls the first of them, the
// second, and so on, whatever is sent to others: whether it is lost, whether repeated, and how far
// from MinDelay to MaxDelay it is delayed, under the Disturbance of that moment. Links of the same
// seed are different all the same. It does not fix which message is the first and which the
// second, nor when they are sent: that is up to goroutines and clocks, and so a run of a program
// is not repeated by its seed.
func Shake(tr smr.Transport, seed uint64) *Shaken {
	return &Shaken{tr: tr, links: linksOf(seed), to: map[smr.ID]bool{}, from: map[smr.ID]bool{}}
}

// Shaken is a Transport that makes faults. Its methods may be called concurrently.
type Shaken struct {
	tr smr.Transport

	mu       sync.Mutex
	links    links
	disturb  Disturbance
	to, from map[smr.ID]bool // cut
	delays   *delays         // nil unless open
}

// Disturbance is what befalls the messages that a member sends. The zero value is none.
type Disturbance struct {
	// Lose is the part of the messages that is lost: zero, none; 1, all.
	Lose float64
	// Repeat is the part of the others that is sent twice.
	Repeat float64
	// MinDelay and MaxDelay are how long a message waits before it is sent: anything in between,
	// drawn for each of two anew. So messages overtake each other, unless the two are equal. A
	// MaxDelay below MinDelay counts as MinDelay. At most 32 MiB and 65,536 messages wait; what
	// comes above is lost, with one warning.
	MinDelay, MaxDelay time.Duration
}

// Disturb sets what befalls messages from now on. Those that wait already are not touched.
func (s *Shaken) Disturb(d Disturbance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disturb = d
}

// CutTo cuts the links to these members, one way: what this member sends to them is lost, also
// what waits. What they send still arrives. Connections of the Transport below stay as they are.
func (s *Shaken) CutTo(ids ...smr.ID) { s.cut(s.to, ids) }

// CutFrom cuts the links from these members, one way: what they send is lost.
func (s *Shaken) CutFrom(ids ...smr.ID) { s.cut(s.from, ids) }

func (s *Shaken) cut(links map[smr.ID]bool, ids []smr.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		links[id] = true
	}
}

// Heal mends what CutTo and CutFrom cut, both ways, with these members, or with all if none is
// named. A Disturbance goes on.
func (s *Shaken) Heal(ids ...smr.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(ids) == 0 {
		clear(s.to)
		clear(s.from)
	}
	for _, id := range ids {
		delete(s.to, id)
		delete(s.from, id)
	}
}

// Open implements smr.Transport.
func (s *Shaken) Open(e smr.Endpoint) error {
	if s.tr == nil {
		return errors.New("conform: Shake was given no Transport to carry messages: tr is nil")
	}
	s.mu.Lock()
	s.links.self = e.ID
	s.mu.Unlock()
	receive := e.Receive
	e.Receive = func(from smr.ID, msg []byte) {
		if !s.isCut(s.from, from) {
			receive(from, msg)
		}
	}
	if err := s.tr.Open(e); err != nil {
		return err
	}
	d := newDelays(s.sendNow, e.Logger)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delays = d
	return nil
}

func (s *Shaken) isCut(links map[smr.ID]bool, id smr.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return links[id]
}

// Send implements smr.Transport.
func (s *Shaken) Send(to smr.ID, msg []byte) {
	s.mu.Lock()
	d, f := s.delays, s.links.next(to).under(s.disturb)
	s.mu.Unlock()
	if d == nil {
		return
	}
	for _, delay := range f.delays[:f.copies] {
		if delay <= 0 {
			s.sendNow(to, msg)
		} else {
			d.put(to, msg, delay)
		}
	}
}

// sendNow sends what has waited, or need not.
func (s *Shaken) sendNow(to smr.ID, msg []byte) {
	if !s.isCut(s.to, to) {
		s.tr.Send(to, msg)
	}
}

// Close implements smr.Transport. Messages that wait are lost.
func (s *Shaken) Close() error {
	s.mu.Lock()
	d := s.delays
	s.delays = nil
	s.mu.Unlock()
	if d != nil {
		d.close()
	}
	if s.tr == nil {
		return nil
	}
	return s.tr.Close()
}
