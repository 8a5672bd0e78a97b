package queue

import (
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
)

// Items are taken in order, all at once, and wake the reader once.
func TestQueueKeepsTheOrder(t *testing.T) {
	q := New[int]()
	assert.True(t, q.Add(1))
	assert.True(t, q.Add(2))
	<-q.Wake()
	assert.Empty(t, q.Wake())
	batch, _ := q.Take()
	assert.Equal(t, []int{1, 2}, batch)
	assert.True(t, q.Add(3))
	<-q.Wake()
	assert.Equal(t, []int{1, 2}, batch, "valid until the next Take")
	batch, _ = q.Take()
	assert.Equal(t, []int{3}, batch)
	batch, _ = q.Take()
	assert.Empty(t, batch)
}

// Each passes items in order. Items added by the function are for the next call.
func TestEach(t *testing.T) {
	q := New[int]()
	var got []int
	take := func(n int) {
		if got = append(got, n); n < 3 {
			q.Add(n + 2)
		}
	}
	q.Add(1)
	q.Add(2)
	q.Each(take)
	assert.Equal(t, []int{1, 2}, got)
	q.Each(take)
	q.Each(take)
	assert.Equal(t, []int{1, 2, 3, 4}, got)
}

// An item that would exceed the limit is refused, unless it is alone or has no size.
func TestQueueLimitsBytes(t *testing.T) {
	q := New[string]()
	assert.True(t, q.Put("alone, larger than the limit", 20, 10))
	assert.False(t, q.Put("exceeds the limit", 1, 20))
	assert.True(t, q.Put("reaches a higher limit", 1, 21))
	assert.True(t, q.Add("without a size"))
	assert.True(t, q.Put("of size 0", 0, 10))
}

// Items that were taken count until they are released, one by one or together.
func TestTakenItemsCountUntilReleased(t *testing.T) {
	q := New[string]()
	q.Put("a", 4, 10)
	q.Put("b", 6, 10)
	batch, size := q.Take()
	assert.Len(t, batch, 2)
	assert.Equal(t, 10, size)
	assert.False(t, q.Put("c", 1, 10))
	q.Release(4)
	assert.True(t, q.Put("c", 4, 10))
	assert.False(t, q.Put("d", 1, 10))
	_, size = q.Take()
	assert.Equal(t, 4, size, "of the second batch alone")
	q.Release(6 + 4)
	assert.True(t, q.Put("e", 10, 10))
	q.Each(func(string) { assert.True(t, q.Put("f", 10, 10), "Each has released e") })
	q.Drop()
	assert.True(t, q.Put("g", 10, 10), "Drop has released f")
	batch, _ = q.Take()
	assert.Equal(t, []string{"g"}, batch)
}

// A closed queue returns the items that waited, refuses further items, and wakes the reader.
func TestQueueClose(t *testing.T) {
	q := New[int]()
	q.Add(7)
	<-q.Wake()
	assert.Equal(t, []int{7}, q.Close())
	assert.Len(t, q.Wake(), 1)
	assert.False(t, q.Add(8))
	batch, _ := q.Take()
	assert.Empty(t, batch)
	assert.Empty(t, q.Close(), "twice")
}

// The memory of batches is reused, except that of a very long one.
func TestQueueReusesMemory(t *testing.T) {
	q := New[int]()
	fill := func(n int) {
		for i := range n {
			q.Put(i, 8, 1<<30)
		}
		batch, size := q.Take()
		clear(batch)
		q.Release(size)
	}
	fill(1000)
	fill(1000)
	assert.Zero(t, testing.AllocsPerRun(10, func() { fill(1000) }))
	fill(kept + 1)
	assert.Nil(t, q.spare)
}

// Concurrent writers never exceed the limit, and the reader misses no item.
func TestQueueIsConcurrent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const writers, items, limit = 4, 1000, 64
		q := New[int]()
		var all sync.WaitGroup
		accepted := make([]int, writers)
		for w := range writers {
			all.Go(func() {
				for range items {
					if q.Put(w, 1+w, limit) {
						accepted[w]++
					}
				}
			})
		}
		got := make([]int, writers)
		done := make(chan struct{})
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-q.Wake():
				}
				batch, size := q.Take()
				assert.LessOrEqual(t, size, limit)
				for _, w := range batch {
					got[w]++
					q.Release(1 + w)
				}
			}
		})
		synctest.Wait() // until the reader waits for an empty queue
		close(done)
		all.Wait()
		assert.Equal(t, accepted, got)
		assert.Zero(t, q.taken.Load())
	})
}

// An item takes the place of one that it supersedes, and only the bytes of the later one count.
func TestPutReplacesWhatIsSuperseded(t *testing.T) {
	q := New[int]()
	q.Supersedes = func(later, earlier int) bool { return later%10 == earlier%10 }
	assert.True(t, q.Put(1, 100, 300))
	assert.True(t, q.Put(2, 100, 300))
	assert.True(t, q.Put(11, 150, 300))
	assert.False(t, q.Put(3, 100, 300), "250 bytes wait")
	batch, size := q.Take()
	assert.Equal(t, []int{11, 2}, batch)
	assert.Equal(t, 250, size)
	assert.True(t, q.Put(1, 10, 300), "what was taken is not replaced")
}
