// Package statelock is the lock that guards a state machine: a read-write lock that works in virtual time.
package statelock

import "sync"

// RWLock is a lock like sync.RWMutex whose waiters wait on channels. In a testing/synctest bubble time
// passes only while all goroutines are blocked on objects of the bubble, and a mutex is not one. With this
// lock a Read or an Apply may sleep there while others wait for the state. Readers that wait when the writer
// unlocks get the lock before the next writer. The zero value is unlocked.
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

// RLock takes the lock, shared with other readers.
func (l *RWLock) RLock() {
	l.mu.Lock()
	if !l.writing {
		l.readers++
		l.mu.Unlock()
		return
	}
	l.waiting++
	free := l.whenFree()
	l.mu.Unlock()
	<-free // Unlock has counted this reader
}

// RUnlock releases a lock that RLock took.
func (l *RWLock) RUnlock() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.readers--; l.readers == 0 && l.drained != nil {
		close(l.drained)
		l.drained = nil
	}
}

// Lock takes the lock exclusively.
func (l *RWLock) Lock() {
	l.mu.Lock()
	for l.writing {
		free := l.whenFree()
		l.mu.Unlock()
		<-free
		l.mu.Lock()
	}
	l.writing = true
	if l.readers == 0 {
		l.mu.Unlock()
		return
	}
	drained := make(chan struct{})
	l.drained = drained
	l.mu.Unlock()
	<-drained
}

// Unlock releases a lock that Lock took.
func (l *RWLock) Unlock() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writing, l.readers, l.waiting = false, l.waiting, 0
	if l.free != nil {
		close(l.free)
		l.free = nil
	}
}
