// Package queue provides the queue in front of a goroutine: any goroutine adds items, and one takes all that wait.
package queue

import (
	"sync"
	"sync/atomic"
)

// kept is the capacity, in items, above which the memory of a batch is not reused. Otherwise the longest batch would
// determine the memory of an idle queue.
const kept = 1 << 14

// Queue is a first-in, first-out queue. New returns one.
//
// One goroutine, the reader, may call Take, Each and Drop and receive from Wake. All other methods may be called
// concurrently, also with those. No method blocks.
//
// Items may have sizes, which Put compares with a limit in bytes. The size of an item counts from Put until Release,
// so that the limit also bounds the items that the reader works on.
type Queue[T any] struct {
	// Supersedes reports whether an item makes one that was added before it superfluous. Put then replaces the earlier
	// item, if it is among the latest that wait. Nil: no item does. It is set before the first use.
	Supersedes func(later, earlier T) bool

	wake  chan struct{} // holds a token if items were added since the last Take, or Close was called
	taken atomic.Int64  // bytes of taken items that are not released

	mu      sync.Mutex
	waiting []T
	sizes   []int // of waiting items; only if Supersedes is set
	bytes   int64 // of waiting items
	closed  bool  // waiting is empty and remains so
	spare   []T   // memory of the batch that Take returned last; reused by the next Take
}

// New returns an empty queue. In a testing/synctest bubble, its reader is durably blocked while it waits for Wake.
func New[T any]() *Queue[T] { return &Queue[T]{wake: make(chan struct{}, 1)} }

// Add adds an item without a size, which no limit refuses. It reports false if the queue is closed.
func (q *Queue[T]) Add(item T) bool { return q.Put(item, 0, 0) }

// Put adds an item of size bytes. It reports false, and does not add the item, if the queue is closed or if the item
// would raise the bytes that count above limit. If none count, it adds an item of any size; otherwise an item larger
// than the limit could never pass.
func (q *Queue[T]) Put(item T, size int, limit int64) bool {
	q.mu.Lock()
	if q.Supersedes != nil && q.replace(item, size) {
		q.mu.Unlock()
		return true
	}
	if q.closed || q.full(int64(size), limit) {
		q.mu.Unlock()
		return false
	}
	q.waiting = append(q.waiting, item)
	if q.Supersedes != nil {
		q.sizes = append(q.sizes, size)
	}
	q.bytes += int64(size)
	first := len(q.waiting) == 1
	q.mu.Unlock()
	if first {
		q.signal()
	}
	return true
}

// searched is the number of waiting items among which Put looks for one that is superseded.
const searched = 32

// replace puts an item in the place of one that it supersedes, and reports whether there is one.
func (q *Queue[T]) replace(item T, size int) bool {
	for i := len(q.waiting) - 1; i >= max(0, len(q.waiting)-searched); i-- {
		if q.Supersedes(item, q.waiting[i]) {
			q.bytes += int64(size - q.sizes[i])
			q.waiting[i], q.sizes[i] = item, size
			return true
		}
	}
	return false
}

// full reports whether the limit refuses an item of size bytes.
func (q *Queue[T]) full(size, limit int64) bool {
	used := q.bytes + q.taken.Load()
	return size > 0 && used > 0 && used+size > limit
}

// signal puts a token into wake unless it holds one. It is called without the lock, which the woken reader needs.
func (q *Queue[T]) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Wake returns a channel that yields a value after an item was added to an empty queue, and after Close. By the time
// the reader receives the value, it may already have taken the item.
func (q *Queue[T]) Wake() <-chan struct{} { return q.wake }

// Take removes and returns all items, with the sum of their sizes, which count until they are released. The batch is
// valid until the next call of Take, Each or Drop. The reader clears it when it is done with the items; otherwise an
// idle queue would keep them in memory.
func (q *Queue[T]) Take() (batch []T, size int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch, size = q.waiting, int(q.bytes)
	q.taken.Add(q.bytes)
	q.waiting, q.bytes, q.spare = q.spare[:0], 0, nil
	q.sizes = q.sizes[:0]
	if cap(batch) <= kept {
		q.spare = batch
	}
	return batch, size
}

// Release makes room for size bytes. The sizes of taken items may be released one by one or together.
func (q *Queue[T]) Release(size int) { q.taken.Add(-int64(size)) }

// Each takes all items, releases their sizes, and calls f for each item. Items that f adds remain in the queue.
func (q *Queue[T]) Each(f func(T)) {
	batch, size := q.Take()
	q.Release(size)
	for _, item := range batch {
		f(item)
	}
	clear(batch)
}

// Drop removes all items and releases their sizes.
func (q *Queue[T]) Drop() { q.Each(func(T) {}) }

// Close closes the queue and returns the items that waited. A closed queue refuses all items.
func (q *Queue[T]) Close() []T {
	q.mu.Lock()
	left := q.waiting
	q.waiting, q.bytes, q.closed = nil, 0, true
	q.mu.Unlock()
	q.signal()
	return left
}
