package smr

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/smr-go/smr/internal/queue"
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
	warnings ratelog.Warnings
	live     atomic.Bool // between Open and Close

	// Open sets these once, before the transport is in network.open.
	endpoint Endpoint
	inbox    *queue.Queue[memoryMessage]
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
		return errors.New("smr: a transport can be opened only once: create another")
	}
	m.endpoint, m.warnings.Log = e, e.Logger
	m.inbox, m.done = queue.New[memoryMessage](), make(chan struct{})
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
	if !dst.inbox.Put(memoryMessage{m.id, msg}, len(msg)+messageOverhead, memoryInboxBytes) && dst.live.Load() {
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
		m.inbox.Close()
		<-done
	}
	return nil
}

// deliver hands messages to the endpoint until the transport is closed.
func (m *memoryTransport) deliver() {
	defer close(m.done)
	for m.live.Load() {
		<-m.inbox.Wake()
		batch, size := m.inbox.Take()
		for _, d := range batch {
			if !m.live.Load() {
				return
			}
			m.endpoint.Receive(d.from, d.msg)
		}
		clear(batch)
		m.inbox.Release(size)
	}
}

const (
	memoryInboxBytes = 64 << 20 // limit of the bytes of waiting messages and of those that are being delivered
	messageOverhead  = 64       // bytes that a waiting message costs in addition to its own
)

// memoryMessage is a message in the inbox of its receiver.
type memoryMessage struct {
	from ID
	msg  []byte
}
