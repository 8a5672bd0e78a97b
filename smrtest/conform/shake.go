package conform

import (
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr"
)

// Shake returns a Transport that carries messages over tr and can lose, repeat and delay them and cut links, to test
// the replicas of a running program. Each replica needs a Shaken of its own.
//
//	tcp, err := smr.ListenTCP(smr.TCPConfig{Listen: ":7001"})
//	...
//	shaken := conform.Shake(tcp, seed)
//	replica, err := smr.Start(smr.Config{Transport: shaken, ...})
//	...
//	shaken.Disturb(conform.Disturbance{Lose: 0.05, MaxDelay: 30 * time.Millisecond})
//	shaken.CutTo("b") // messages to b are lost; messages from b arrive
//
// For each receiver, the seed fixes the fate of the first message, the second, and so on, independently of messages to
// others: whether it is lost or repeated, and where between MinDelay and MaxDelay its delay lies, under the Disturbance
// of that moment. Links with the same seed still differ from each other. The seed does not fix the order and the times
// of messages, which depend on goroutines and clocks, so it does not repeat a run of a program.
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
	// MinDelay and MaxDelay are the bounds of the random delay before each copy of a message is sent. Unless they are
	// equal, messages overtake each other. A MaxDelay below MinDelay counts as MinDelay. At most 32 MiB and 65,536
	// messages wait; further messages are lost, with one warning in the log.
	MinDelay, MaxDelay time.Duration
}

// Disturb sets the faults of messages from now on. It does not affect messages that already wait.
func (s *Shaken) Disturb(d Disturbance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disturb = d
}

// CutTo cuts the links to these members, in one direction: messages to them are lost, including those that wait.
// Messages from them still arrive. Connections of the underlying Transport stay open.
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

// Heal restores the links, in both directions, with these members, or with all members if none is named. A Disturbance
// stays.
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
	d, copies := s.delays, s.links.next(to).under(s.disturb)
	s.mu.Unlock()
	if d == nil {
		return
	}
	for _, delay := range copies {
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

// links has a random stream for each link from self to another member.
type links struct {
	seed    uint64
	self    smr.ID
	streams map[smr.ID]*rand.Rand
}

func linksOf(seed uint64) links { return links{seed: seed, streams: map[smr.ID]*rand.Rand{}} }

// lot holds the random numbers of one message, each in [0,1). There are always four, used or not, so that a message's
// lot depends only on its position among the messages of its link.
type lot struct{ lose, repeat, first, second float64 }

// next draws the lot of the next message.
func (l *links) next(to smr.ID) lot {
	r := l.streams[to]
	if r == nil {
		r = l.stream(to)
		l.streams[to] = r
	}
	return lot{r.Float64(), r.Float64(), r.Float64(), r.Float64()}
}

func (l *links) stream(to smr.ID) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(l.self))
	h.Write([]byte{0}) // ab to c is not a to bc
	h.Write([]byte(to))
	return rand.New(rand.NewPCG(l.seed, h.Sum64()))
}

// under returns the delay of each copy of the message that is sent: of none, one or two.
func (l lot) under(d Disturbance) []time.Duration {
	switch {
	case l.lose < d.Lose:
		return nil
	case l.repeat < d.Repeat:
		return []time.Duration{d.delay(l.first), d.delay(l.second)}
	}
	return []time.Duration{d.delay(l.first)}
}

// delay returns the delay at a fraction of the way from MinDelay to MaxDelay.
func (d Disturbance) delay(at float64) time.Duration {
	return d.MinDelay + time.Duration(at*float64(max(0, d.MaxDelay-d.MinDelay)))
}

const (
	delayedMessages = 1 << 16
	delayedBytes    = 32 << 20
)

// delays holds messages until they are due and then passes them to send, in that order.
type delays struct {
	send    func(to smr.ID, msg []byte)
	sending chan struct{} // holds a value while send runs
	logger  hclog.Logger

	mu     sync.Mutex
	queue  []delayedMessage // by due time, and of one time in the order of put; len(queue) <= delayedMessages
	bytes  int              // of the queue: bytes <= delayedBytes
	full   bool             // the warning was logged
	closed bool
}

type delayedMessage struct {
	due time.Time
	to  smr.ID
	msg []byte
}

func newDelays(send func(to smr.ID, msg []byte), logger hclog.Logger) *delays {
	return &delays{send: send, sending: make(chan struct{}, 1), logger: logger}
}

// put adds a message, or drops it if delays is full.
func (d *delays) put(to smr.ID, msg []byte, delay time.Duration) {
	due := time.Now().Add(delay)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	if len(d.queue) >= delayedMessages || d.bytes+len(msg) > delayedBytes {
		d.warnOnce()
		return
	}
	d.bytes += len(msg)
	behind := sort.Search(len(d.queue), func(i int) bool { return d.queue[i].due.After(due) })
	d.queue = slices.Insert(d.queue, behind, delayedMessage{due, to, msg})
	time.AfterFunc(delay, d.sendFirst)
}

func (d *delays) warnOnce() {
	if !d.full {
		d.full = true
		d.logger.Warn("conform.Shaken has too many delayed messages and drops some", "messages", delayedMessages, "bytes", delayedBytes)
	}
}

// sendFirst sends the first message. It is called once for each, when that is due, so that at least the first is due.
func (d *delays) sendFirst() {
	d.sending <- struct{}{}
	defer func() { <-d.sending }()
	if m, ok := d.take(); ok {
		d.send(m.to, m.msg)
	}
}

func (d *delays) take() (m delayedMessage, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 {
		return m, false
	}
	m, d.queue[0] = d.queue[0], m
	d.queue = d.queue[1:]
	d.bytes -= len(m.msg)
	return m, true
}

// close drops all messages. After it returns, send is not called.
func (d *delays) close() {
	d.mu.Lock()
	d.closed, d.queue = true, nil
	d.mu.Unlock()
	d.sending <- struct{}{}
	<-d.sending
}
