package statelock

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
					assert.True(t, l.Lock(nil))
					assert.EqualValues(t, 1, writers.Add(1))
					assert.Zero(t, readers.Load())
					writers.Add(-1)
					l.Unlock()
					continue
				}
				assert.True(t, l.RLock(context.Background(), nil))
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
		read, write := func() bool { return l.RLock(context.Background(), nil) }, func() bool { return l.Lock(nil) }
		hold := func(name string, lock func() bool, unlock func()) {
			go func() {
				assert.True(t, lock())
				order = append(order, name)
				time.Sleep(time.Second)
				unlock()
			}()
			synctest.Wait()
		}
		began := time.Now()
		hold("reader", read, l.RUnlock)
		hold("writer", write, l.Unlock)
		hold("second reader", read, l.RUnlock)
		hold("second writer", write, l.Unlock)
		time.Sleep(3500 * time.Millisecond)
		write()
		assert.Equal(t, []string{"reader", "writer", "second reader", "second writer"}, order)
		assert.Equal(t, 4*time.Second, time.Since(began))
		l.Unlock()
	})
}

// Whoever gives up waiting leaves the lock as if it had not come: readers that waited for a writer which gives up get the
// lock, and so does a writer behind readers of which one gives up.
func TestWaitersGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l RWLock
		never := context.Background()
		in := func(d time.Duration) context.Context {
			ctx, stop := context.WithTimeout(never, d)
			t.Cleanup(stop)
			return ctx
		}
		after := func(d time.Duration) <-chan struct{} {
			stop := make(chan struct{})
			time.AfterFunc(d, func() { close(stop) })
			return stop
		}
		assert.True(t, l.RLock(context.Background(), nil))
		assert.True(t, l.TryRLock(), "beside a reader")
		l.RUnlock()
		began := time.Now()
		go func() {
			assert.False(t, l.Lock(after(2*time.Second)), "behind a reader")
			assert.Equal(t, 2*time.Second, time.Since(began))
		}()
		synctest.Wait()
		assert.False(t, l.TryRLock())
		assert.False(t, l.RLock(in(time.Second), make(chan struct{})), "behind the writer that waits")
		assert.False(t, l.RLock(never, after(500*time.Millisecond)))
		assert.Equal(t, 1500*time.Millisecond, time.Since(began))
		assert.True(t, l.RLock(never, nil), "the writer has given up")
		assert.Equal(t, 2*time.Second, time.Since(began))
		l.RUnlock()
		l.RUnlock()

		assert.True(t, l.Lock(nil))
		assert.False(t, l.Lock(after(time.Second)), "behind another writer")
		assert.False(t, l.RLock(in(time.Second), nil))
		l.Unlock()
		assert.True(t, l.Lock(after(0)), "nothing is left of those that gave up")
		l.Unlock()
	})
}

// A reader that gives up just before the writer unlocks does not hold the lock afterwards.
func TestGivingUpWhileTheWriterUnlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l RWLock
		for range 100 {
			stop, ended := make(chan struct{}), make(chan bool, 1)
			require.True(t, l.Lock(nil))
			go func() { ended <- l.RLock(context.Background(), stop) }()
			synctest.Wait()
			close(stop) // from here on the reader gives up, and may not have told the lock yet
			l.Unlock()
			require.False(t, <-ended)
			require.Zero(t, l.readers+l.waiting)
		}
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

func (l rlocker) Lock()   { l.RLock(context.Background(), nil) }
func (l rlocker) Unlock() { l.RUnlock() }
