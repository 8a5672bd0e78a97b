package queue

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Items come out in order, all at once, and the reader is woken once for them.
func TestQueueKeepsTheOrder(t *testing.T) {
	q := New[int]()
	assert.True(t, q.Add(1))
	assert.True(t, q.Add(2))
	<-q.Wake()
	assert.Empty(t, q.Wake())
	taken := q.Take(nil)
	assert.Equal(t, []int{1, 2}, taken)
	assert.True(t, q.Add(3))
	<-q.Wake()
	assert.Equal(t, []int{3}, q.Take(taken))
	assert.Empty(t, q.Take(nil))
}

// Each hands over items in order, and what is added meanwhile is for the next call.
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

// An item that has a size is refused while as many bytes as its limit wait; one without a size never is.
func TestQueueLimitsBytes(t *testing.T) {
	q := New[string]()
	assert.True(t, q.Put("larger than the limit", 20, 10))
	assert.False(t, q.Put("no room", 1, 20))
	assert.True(t, q.Put("a higher limit", 1, 21))
	assert.True(t, q.Add("without a size"))
	assert.Len(t, q.Take(nil), 3)
	assert.True(t, q.Put("room again", 20, 20))
}

// A closed queue returns what was in it and takes nothing more.
func TestQueueClose(t *testing.T) {
	q := New[int]()
	q.Add(7)
	assert.Equal(t, []int{7}, q.Close())
	assert.False(t, q.Add(8))
	assert.Empty(t, q.Take(nil))
}
