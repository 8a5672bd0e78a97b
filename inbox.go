package smr

import (
	"sync"

	"github.com/smr-go/smr/internal/vsr"
)

// event is one thing for the loop to take into account: a message, a proposal, or anything else
// as a function that the loop runs.
type event struct {
	from vsr.Index
	head vsr.Header
	msg  vsr.Message
	size int
	call *call
	do   func()
}

// inbox is the loop's only entrance. Everybody puts; the loop takes all there is at once.
type inbox struct {
	mu     sync.Mutex
	events []event
	bytes  int // of messages and proposals waiting
	closed bool
	wake   chan struct{} // holds a token while there may be something
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

// put adds an event. It reports false if the loop has ended, or if the event has a size and limit
// bytes wait already.
func (b *inbox) put(e event, limit int) bool {
	b.mu.Lock()
	if b.closed || e.size > 0 && b.bytes >= limit {
		b.mu.Unlock()
		return false
	}
	b.events = append(b.events, e)
	b.bytes += e.size
	first := len(b.events) == 1
	b.mu.Unlock()
	if first {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// do has the loop run f; false if it has ended.
func (b *inbox) do(f func()) bool { return b.put(event{do: f}, 0) }

// take returns what waits, and keeps spare for what comes next.
func (b *inbox) take(spare []event) []event {
	b.mu.Lock()
	defer b.mu.Unlock()
	taken := b.events
	b.events, b.bytes = spare[:0], 0
	return taken
}

// close ends the inbox and returns what was in it.
func (b *inbox) close() []event {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return b.events
}

// queue is work for one goroutine: anybody adds, it takes all there is at once.
type queue[T any] struct {
	mu    sync.Mutex
	items []T
	wake  chan struct{}
}

func newQueue[T any]() *queue[T] { return &queue[T]{wake: make(chan struct{}, 1)} }

func (q *queue[T]) add(item T) {
	q.mu.Lock()
	q.items = append(q.items, item)
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *queue[T]) take() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items = nil
	return items
}
