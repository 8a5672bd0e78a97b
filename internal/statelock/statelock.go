// Package statelock is the lock that guards a state machine: a read-write lock that works in virtual time.
package statelock

import (
	"context"
	"sync"
)

// RWLock is a lock like sync.RWMutex whose waiters can give up. They wait on channels: in a testing/synctest bubble time passes only
// while all goroutines are blocked on objects of the bubble, and a mutex is not one. With this lock a Read or an Apply
// may sleep there while others wait for the state. Readers that wait when the writer unlocks get the lock before the
// next writer. The zero value is unlocked.
type RWLock struct {
	mu      sync.Mutex    // never held while waiting
	writing bool          // a writer has the lock, or waits for readers to release it
	readers int           // readers that have the lock; 0 while a writer has it
	waiting int           // readers that wait for the writer
	free    chan struct{} // closed when the writer unlocks; nil if nothing waits for that
	drained chan struct{} // closed when the last reader unlocks; nil if no writer waits for that
}

// whenFree returns a channel that is closed when the writer unlocks. The caller holds mu.
func (l *RWLock) whenFree() <-chan struct{} {
	if l.free == nil {
		l.free = make(chan struct{})
	}
	return l.free
}

// RLock takes the lock, shared with other readers. If it has to wait, it gives up when ctx ends or stop is closed, and
// reports false. It asks for ctx.Done, which may allocate memory, only then.
func (l *RWLock) RLock(ctx context.Context, stop <-chan struct{}) bool {
	l.mu.Lock()
	if !l.writing {
		l.readers++
		l.mu.Unlock()
		return true
	}
	l.waiting++
	free := l.whenFree()
	l.mu.Unlock()
	select {
	case <-free: // the writer has counted this reader
		return true
	case <-ctx.Done():
	case <-stop:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-free:
		l.leave()
	default:
		l.waiting--
	}
	return false
}

// TryRLock is RLock that reports false instead of waiting.
func (l *RWLock) TryRLock() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writing {
		return false
	}
	l.readers++
	return true
}

// RUnlock releases a lock that RLock or TryRLock took.
func (l *RWLock) RUnlock() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leave()
}

// leave counts a reader less. The caller holds mu.
func (l *RWLock) leave() {
	if l.readers--; l.readers == 0 && l.drained != nil {
		close(l.drained)
		l.drained = nil
	}
}

// Lock takes the lock exclusively. If it has to wait, it gives up when stop is closed, and reports false.
func (l *RWLock) Lock(stop <-chan struct{}) bool {
	l.mu.Lock()
	for l.writing {
		free := l.whenFree()
		l.mu.Unlock()
		select {
		case <-free:
		case <-stop:
			return false
		}
		l.mu.Lock()
	}
	l.writing = true
	if l.readers == 0 {
		l.mu.Unlock()
		return true
	}
	drained := make(chan struct{})
	l.drained = drained
	l.mu.Unlock()
	select {
	case <-drained:
		return true
	case <-stop:
		l.Unlock()
		return false
	}
}

// Unlock releases a lock that Lock took, or gives up waiting for readers.
func (l *RWLock) Unlock() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writing, l.drained = false, nil
	l.readers, l.waiting = l.readers+l.waiting, 0
	if l.free != nil {
		close(l.free)
		l.free = nil
	}
}
