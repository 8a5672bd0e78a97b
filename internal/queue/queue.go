// Package queue is the queue between a replica's goroutines: any of them adds, one takes all there is at once.
package queue

import "sync"

// Queue is a queue of items. New makes one. Its methods may be called concurrently, but Take, Each and Wake are for
// one goroutine.
type Queue[T any] struct {
	mu     sync.Mutex
	items  []T
	bytes  int // of the items, as far as Put was told their size
	closed bool
	wake   chan struct{} // holds a token while there may be items
	spare  []T           // memory for items to come; the reader's
}

// New returns an empty queue.
func New[T any]() *Queue[T] { return &Queue[T]{wake: make(chan struct{}, 1)} }

// Add adds an item. It reports false if the queue is closed.
func (q *Queue[T]) Add(item T) bool { return q.Put(item, 0, 0) }

// Put adds an item of that size in bytes. It reports false if the queue is closed, or if size is positive and limit
// bytes or more wait already.
func (q *Queue[T]) Put(item T, size, limit int) bool {
	q.mu.Lock()
	if q.closed || size > 0 && q.bytes >= limit {
		q.mu.Unlock()
		return false
	}
	q.items = append(q.items, item)
	q.bytes += size
	first := len(q.items) == 1
	q.mu.Unlock()
	if first {
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
	return true
}

// Wake returns a channel that yields a value after items were added to the empty queue.
func (q *Queue[T]) Wake() <-chan struct{} { return q.wake }

// Take returns all items, and keeps the memory of spare, of which nothing may be in use, for those to come.
func (q *Queue[T]) Take(spare []T) []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.items
	q.items, q.bytes = spare[:0], 0
	return taken
}

// Each removes all items and calls f for each of them.
func (q *Queue[T]) Each(f func(T)) {
	taken := q.Take(q.spare)
	for _, item := range taken {
		f(item)
	}
	clear(taken)
	q.spare = taken
}

// Close closes the queue and returns what was in it.
func (q *Queue[T]) Close() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	left := q.items
	q.items, q.closed = nil, true
	return left
}
