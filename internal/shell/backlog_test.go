package shell

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smr-go/smr/internal/vsr"
)

func TestBacklogKeepsTheOrder(t *testing.T) {
	saves := []*vsr.Save{{Seq: 1}, {Seq: 2}, {Seq: 3}}
	c := &vsr.Compact{Keep: 9}
	b := backlog{{Save: saves[0]}, {Save: saves[1]}, {Compact: c}, {Save: saves[2]}}
	got, compact := b.next(nil)
	assert.Equal(t, saves[:2], got)
	assert.Nil(t, compact)
	got, compact = b.next(nil)
	assert.Empty(t, got)
	assert.Same(t, c, compact)
	got, compact = b.next(nil)
	assert.Equal(t, saves[2:], got)
	assert.Nil(t, compact)
	got, compact = b.next(nil)
	assert.Empty(t, got)
	assert.Nil(t, compact)
	assert.Empty(t, b)
}

// 11.10: the log lays a batch out in memory, so a batch is limited, however much waits.
func TestOneSyncTakesNoMoreThanItMay(t *testing.T) {
	var b backlog
	for range 7 {
		b = append(b, Write{Save: &vsr.Save{Entries: []vsr.Entry{{Body: make([]byte, maxSync/2)}}}})
	}
	b = append(b, Write{Save: &vsr.Save{Entries: []vsr.Entry{{Body: make([]byte, 2*maxSync)}}}}, Write{Save: &vsr.Save{}})
	for _, want := range []int{2, 2, 2, 2, 1} {
		saves, _ := b.next(nil)
		assert.Len(t, saves, want)
	}
	assert.Empty(t, b)
}

// A compaction that goes before saves leaves the ops that they will cut.
func TestBacklogAhead(t *testing.T) {
	b := backlog{{Compact: &vsr.Compact{Keep: 50, Snapshot: 60}}, {Save: &vsr.Save{From: 21}},
		{Compact: &vsr.Compact{Keep: 70, Snapshot: 10}}}
	assert.Equal(t, []vsr.Compact{{Keep: 50, Snapshot: 60}, {Keep: 20, Snapshot: 10}}, b.ahead([]*vsr.Save{{}}))
	assert.Equal(t, []vsr.Compact{{Keep: 30, Snapshot: 30}, {Keep: 20, Snapshot: 10}}, b.ahead([]*vsr.Save{{}, {From: 31}}))
	assert.Len(t, b, 3)
}
