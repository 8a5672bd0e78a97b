package conform

import (
	"errors"
	"sync"
	"time"

	"github.com/smr-go/smr"
)

// Shake returns a Transport that carries messages over tr and can lose, repeat and delay them and cut
// links, to test the replicas of a running program. Each replica needs a Shaken of its own.
//
//	tcp, err := smr.ListenTCP(smr.TCPConfig{Listen: ":7001"})
//	...
//	shaken := conform.Shake(tcp, seed)
//	replica, err := smr.Start(smr.Config{Transport: shaken, ...})
//	...
//	shaken.Disturb(conform.Disturbance{Lose: 0.05, MaxDelay: 30 * time.Millisecond})
//	shaken.CutTo("b") // messages to b are lost; messages from b arrive
//
// For each receiver, the seed fixes the fate of the first message, the second, and so on, independently
// of messages to others: whether it is lost or repeated, and where between MinDelay and MaxDelay its
// delay lies, under the Disturbance of that moment. Links with the same seed still differ from each
// other. The seed does not fix the order and the times of messages, which depend on goroutines and
// clocks, so it does not repeat a run of a program.
func Shake(tr smr.Transport, seed uint64) *Shaken {
	return &Shaken{tr: tr, links: linksOf(seed), to: map[smr.ID]bool{}, from: map[smr.ID]bool{}}
}

// Shaken is a Transport with faults; Shake returns one. Its methods may be called concurrently.
type Shaken struct {
	tr smr.Transport

	mu       sync.Mutex
	links    links
	disturb  Disturbance
	to, from map[smr.ID]bool // cut
	delays   *delays         // nil unless open
}

// Disturbance describes faults of the messages that a member sends. The zero value has no faults.
type Disturbance struct {
	// Lose is the fraction of messages that are lost, from 0 to 1.
	Lose float64
	// Repeat is the fraction of the other messages that are sent twice, from 0 to 1.
	Repeat float64
	// MinDelay and MaxDelay are the bounds of the random delay before each copy of a message is sent.
	// Unless they are equal, messages overtake each other. A MaxDelay below MinDelay counts as
	// MinDelay. At most 32 MiB and 65,536 messages wait; further messages are lost, with one warning
	// in the log.
	MinDelay, MaxDelay time.Duration
}

// Disturb sets the faults of messages from now on. It does not affect messages that already wait.
func (s *Shaken) Disturb(d Disturbance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disturb = d
}

// CutTo cuts the links to these members, in one direction: messages to them are lost, including those
// that wait. Messages from them still arrive. Connections of the underlying Transport stay open.
func (s *Shaken) CutTo(ids ...smr.ID) { s.cut(s.to, ids) }

// CutFrom cuts the links from these members, in one direction: messages from them are lost.
func (s *Shaken) CutFrom(ids ...smr.ID) { s.cut(s.from, ids) }

func (s *Shaken) cut(links map[smr.ID]bool, ids []smr.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		links[id] = true
	}
}

// Heal restores the links, in both directions, with these members, or with all members if none is named.
// A Disturbance stays.
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

// sendNow sends a message without delay.
func (s *Shaken) sendNow(to smr.ID, msg []byte) {
	if !s.isCut(s.to, to) {
		s.tr.Send(to, msg)
	}
}

// Close implements smr.Transport. Waiting messages are lost.
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
