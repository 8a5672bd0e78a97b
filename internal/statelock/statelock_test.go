package statelock

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// Writers are alone, readers are not, and both get their turns.
func TestStateLock(t *testing.T) {
	var l RWLock
	var wg sync.WaitGroup
	var readers, writers atomic.Int32
	for i := range 8 {
		wg.Go(func() {
			for range 2000 {
				if i < 2 {
					l.Lock()
					assert.EqualValues(t, 1, writers.Add(1))
					assert.Zero(t, readers.Load())
					writers.Add(-1)
					l.Unlock()
					continue
				}
				l.RLock()
				readers.Add(1)
				assert.Zero(t, writers.Load())
				readers.Add(-1)
				l.RUnlock()
			}
		})
	}
	wg.Wait()
}

// Time passes in a bubble while goroutines wait for the lock. A reader that comes after a waiting
// writer waits for it; a writer that comes after a waiting reader waits for that.
func TestStateLockInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l RWLock
		var order []string
		hold := func(name string, lock, unlock func()) {
			go func() {
				lock()
				order = append(order, name)
				time.Sleep(time.Second)
				unlock()
			}()
			synctest.Wait()
		}
		began := time.Now()
		hold("reader", l.RLock, l.RUnlock)
		hold("writer", l.Lock, l.Unlock)
		hold("second reader", l.RLock, l.RUnlock)
		hold("second writer", l.Lock, l.Unlock)
		time.Sleep(3500 * time.Millisecond)
		l.Lock()
		assert.Equal(t, []string{"reader", "writer", "second reader", "second writer"}, order)
		assert.Equal(t, 4*time.Second, time.Since(began))
		l.Unlock()
	})
}

func BenchmarkStateLock(b *testing.B) {
	for name, l := range map[string]sync.Locker{"RWLock": rlocker{new(RWLock)}, "RWMutex": new(sync.RWMutex).RLocker()} {
		b.Run(name, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					l.Lock()
					l.Unlock() //lint:ignore SA2001 the lock itself is measured
				}
			})
		})
	}
}

type rlocker struct{ *RWLock }

func (l rlocker) Lock()   { l.RLock() }
func (l rlocker) Unlock() { l.RUnlock() }
