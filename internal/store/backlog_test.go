package store

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smr-go/smr/internal/vsr"
)

func TestBacklogKeepsTheOrder(t *testing.T) {
	saves := []*vsr.Save{{Seq: 1}, {Seq: 2}, {Seq: 3}}
	c := &vsr.Compact{Keep: 9}
	b := Backlog{{Save: saves[0]}, {Save: saves[1]}, {Compact: c}, {Save: saves[2]}}
	got, compact := b.Next()
	assert.Equal(t, saves[:2], got)
	assert.Nil(t, compact)
	got, compact = b.Next()
	assert.Empty(t, got)
	assert.Same(t, c, compact)
	got, compact = b.Next()
	assert.Equal(t, saves[2:], got)
	assert.Nil(t, compact)
	got, compact = b.Next()
	assert.Empty(t, got)
	assert.Nil(t, compact)
	assert.Nil(t, b)
}

// A compaction that goes before saves leaves the ops that they will cut.
func TestBacklogAhead(t *testing.T) {
	b := Backlog{{Compact: &vsr.Compact{Keep: 50, Snapshot: 60}}, {Save: &vsr.Save{From: 21}}, {Compact: &vsr.Compact{Keep: 70, Snapshot: 10}}}
	assert.Equal(t, []vsr.Compact{{Keep: 50, Snapshot: 60}, {Keep: 20, Snapshot: 10}}, b.Ahead([]*vsr.Save{{}}))
	assert.Equal(t, []vsr.Compact{{Keep: 30, Snapshot: 30}, {Keep: 20, Snapshot: 10}}, b.Ahead([]*vsr.Save{{}, {From: 31}}))
	assert.Len(t, b, 3)
}
