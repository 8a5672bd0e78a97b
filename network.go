package smr

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/smr-go/smr/internal/ratelog"
)

// Network carries messages between replicas of one process: for tests, examples, and services
// whose replicas share a process. It keeps the order of messages, and loses one only if its
// receiver is not open, has 64 MiB of them waiting, or takes none so large. It greets nobody:
// Hello and Check of an Endpoint are not called. It works inside a testing/synctest bubble in
// which it was made. Its methods may be called concurrently.
type Network struct {
	mu   sync.RWMutex
	open map[ID]*memoryTransport // the open transport of each id
}

// NewNetwork returns a network without members.
func NewNetwork() *Network { return &Network{open: map[ID]*memoryTransport{}} }

// Transport returns the transport of the member with that id, not yet open. After it is closed,
// another one of the same id takes its place: a restart. Of two that are not, only one can open.
func (n *Network) Transport(id ID) Transport { return &memoryTransport{network: n, id: id} }

// lookup returns the open transport of the member, or nil.
func (n *Network) lookup(id ID) *memoryTransport {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.open[id]
}

// memoryTransport is the Transport of one member of a Network. One goroutine delivers to it, whatever
// waits at once. A message is not copied: sender and receivers share it, which is right because a
// sender must not change what it sent, and no transport writes into what it delivers.
type memoryTransport struct {
	network  *Network
	id       ID
	endpoint Endpoint // set once by Open, before the network knows of the transport
	warnings ratelog.Warnings
	inbox    memoryInbox
	live     atomic.Bool   // between Open and Close
	done     chan struct{} // closed when the delivering goroutine has ended; nil before Open
}

// Open implements Transport. It fails if the id is open already.
func (m *memoryTransport) Open(e Endpoint) error {
	if err := e.check(); err != nil {
		return err
	}
	if e.ID != m.id {
		return fmt.Errorf("smr: replica %q was given the transport of %q", e.ID, m.id)
	}
	m.network.mu.Lock()
	defer m.network.mu.Unlock()
	if m.network.open[m.id] != nil {
		return fmt.Errorf("smr: %q is already open on this network: close it first", m.id)
	}
	if m.done != nil {
		return errors.New("smr: a transport opens once: make another")
	}
	m.endpoint, m.done, m.warnings.Log = e, make(chan struct{}), e.Logger
	m.inbox.some.L = &m.inbox.mu
	m.network.open[m.id] = m
	m.live.Store(true)
	go m.deliver()
	return nil
}

// Send implements Transport. msg goes to its receiver as it is, uncopied.
func (m *memoryTransport) Send(to ID, msg []byte) {
	dst := m.network.lookup(to)
	if dst == nil || !m.live.Load() {
		return
	}
	if len(msg) > dst.endpoint.MaxMessage {
		m.warnings.Warn("too large", "message is too large and was not sent", "to", to,
			"bytes", len(msg), "limit", dst.endpoint.MaxMessage)
		return
	}
	if !dst.inbox.put(m.id, msg) {
		m.warnings.Warn("full", "member does not keep up: dropping messages to it", "to", to,
			"limit", memoryInboxBytes)
	}
}

// Close implements Transport. Messages that wait are lost.
func (m *memoryTransport) Close() error {
	m.network.mu.Lock()
	done := m.done
	if m.network.open[m.id] == m {
		delete(m.network.open, m.id)
	}
	m.network.mu.Unlock()
	if done != nil {
		m.live.Store(false)
		m.inbox.close()
		<-done
	}
	return nil
}

func (m *memoryTransport) deliver() {
	defer close(m.done)
	var batch []memoryMessage
	for {
		batch = m.inbox.take(batch)
		for _, d := range batch {
			if !m.live.Load() {
				return
			}
			m.endpoint.Receive(d.from, d.msg)
		}
		if len(batch) == 0 {
			return
		}
	}
}

const (
	memoryInboxBytes = 64 << 20
	messageOverhead  = 64      // what a waiting message costs beside its bytes
	batchKept        = 1 << 14 // the longest batch whose memory is kept for the next
)

type memoryMessage struct {
	from ID
	msg  []byte
}

// memoryInbox holds messages until they are delivered.
type memoryInbox struct {
	mu      sync.Mutex
	some    sync.Cond // waiting is not empty, or closed
	waiting []memoryMessage
	bytes   int // of waiting and taken: bytes <= memoryInboxBytes
	taken   int // of those being delivered
	closed  bool
}

// put reports whether there was room.
func (b *memoryInbox) put(from ID, msg []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bytes+len(msg)+messageOverhead > memoryInboxBytes {
		return false
	}
	b.bytes += len(msg) + messageOverhead
	b.waiting = append(b.waiting, memoryMessage{from, msg})
	if len(b.waiting) == 1 {
		b.some.Signal()
	}
	return true
}

// take waits for messages and returns all, or none when the inbox is closed. done is the batch
// before, which is delivered; its memory is used again.
func (b *memoryInbox) take(done []memoryMessage) []memoryMessage {
	clear(done)
	if cap(done) > batchKept {
		done = nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes -= b.taken
	b.taken = 0
	for len(b.waiting) == 0 && !b.closed {
		b.some.Wait()
	}
	if b.closed {
		return nil
	}
	batch := b.waiting
	b.waiting, b.taken = done[:0], b.bytes
	return batch
}

func (b *memoryInbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.waiting = nil
	b.some.Signal()
}
