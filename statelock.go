package smr

import "sync"

// stateLock is what sync.RWMutex is, for readers that come first, but waits on channels: in a
// testing/synctest bubble, where time passes only while all goroutines wait on what belongs to the
// bubble, a Read or an Apply may sleep while others wait for the state. Readers that wait when the
// writer unlocks get the lock before the next writer. The zero value is unlocked.
type stateLock struct {
	mu      sync.Mutex    // held for a moment only
	writing bool          // a writer has the lock, or waits for readers to release it
	readers int           // that have the lock; while a writer has it: 0
	waiting int           // readers that wait for the writer
	free    chan struct{} // closed when the writer unlocks; nil if nobody waits for that
	drained chan struct{} // closed when the last reader unlocks; nil if no writer waits for that
}

// whenFree returns a channel that is closed when the writer unlocks. The caller holds mu.
func (l *stateLock) whenFree() <-chan struct{} {
	if l.free == nil {
		l.free = make(chan struct{})
	}
	return l.free
}

// RLock takes the lock, shared with other readers.
func (l *stateLock) RLock() {
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

// RUnlock releases what RLock took.
func (l *stateLock) RUnlock() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.readers--; l.readers == 0 && l.drained != nil {
		close(l.drained)
		l.drained = nil
	}
}

// Lock takes the lock alone.
func (l *stateLock) Lock() {
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

// Unlock releases what Lock took.
func (l *stateLock) Unlock() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writing, l.readers, l.waiting = false, l.waiting, 0
	if l.free != nil {
		close(l.free)
		l.free = nil
	}
}
