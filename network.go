package smr

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/smr-go/smr/internal/ratelog"
)

// Network carries messages between replicas in one process: in tests, in examples, and in services
// whose replicas share a process. It preserves the order of messages, and drops a message only if its
// receiver is not open, has 64 MiB of messages waiting, or accepts none of that size. It exchanges no
// greetings: it does not call Hello and Check of an Endpoint. A Network that was created inside a
// testing/synctest bubble works there. NewNetwork creates one. Its methods may be called concurrently.
type Network struct {
	mu   sync.RWMutex
	open map[ID]*memoryTransport // the open transport of each member
}

// NewNetwork returns a network to which no transport is connected.
func NewNetwork() *Network { return &Network{open: map[ID]*memoryTransport{}} }

// Transport returns a new transport for the member id. At most one transport of each member can be
// open at a time; after it is closed, another may be opened in its place, as for a restart.
func (n *Network) Transport(id ID) Transport { return &memoryTransport{network: n, id: id} }

// lookup returns the open transport of the member, or nil.
func (n *Network) lookup(id ID) *memoryTransport {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.open[id]
}

// memoryTransport is the Transport of one member of a Network. One goroutine delivers its messages, all
// that are waiting at once. Messages are not copied but shared by sender and receivers: none of them
// may change a message.
type memoryTransport struct {
	network  *Network
	id       ID
	endpoint Endpoint // set once by Open, before the transport is in network.open
	warnings ratelog.Warnings
	inbox    memoryInbox
	live     atomic.Bool   // between Open and Close
	done     chan struct{} // closed when deliver has returned; nil before Open
}

// Open implements Transport. It fails if another transport of the member is open.
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

// Send implements Transport. It does not copy msg.
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

// Close implements Transport. It drops the messages that are waiting.
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

// deliver hands messages to the endpoint until the transport is closed.
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
	messageOverhead  = 64      // bytes that a waiting message costs in addition to its own
	batchKept        = 1 << 14 // messages: the memory of a longer batch is not reused
)

type memoryMessage struct {
	from ID
	msg  []byte
}

// memoryInbox is the queue of messages that wait to be delivered to one transport.
type memoryInbox struct {
	mu      sync.Mutex
	some    sync.Cond // waiting is not empty, or closed
	waiting []memoryMessage
	bytes   int // of waiting messages and of those that are being delivered; <= memoryInboxBytes
	taken   int // bytes of the messages that are being delivered; <= bytes
	closed  bool
}

// put adds a message, or reports false if the inbox is full.
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

// take waits until there are messages and returns them all. It returns none if the inbox is closed.
// done is the previous batch, which has been delivered and whose memory is reused.
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
