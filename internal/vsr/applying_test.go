package vsr

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// 11.10: without a disk, entries that wait to be applied cannot leave the memory, so the replica
// accepts no more until the state machine or a snapshot helps.
func TestASwampedReplicaTakesNoMore(t *testing.T) {
	r := member(t, 0)
	r.cfg.Volatile, r.cfg.Window = true, 1000
	const n = 100
	for op := OpNumber(2); op < n; op++ {
		hear(r, 1, &Prepare{View: 1, Prev: r.log.last, Commit: op, Entries: []Entry{{Op: r.log.last.Op + 1, View: 1, Epoch: 1, Kind: Command}}})
	}
	require.Less(t, r.log.last.Op, OpNumber(n/2))
	assert.LessOrEqual(t, r.log.bytesAbove(r.applied), int64(2*1000+entryOverhead))
	assert.LessOrEqual(t, r.applying.bytes, int64(2*1000+entryOverhead))

	full := r.log.last.Op
	r.Step(r.now, &Applied{Op: full})
	hear(r, 1, &Prepare{View: 1, Prev: r.log.last, Commit: full, Entries: []Entry{{Op: full + 1, View: 1, Epoch: 1, Kind: Command}}})
	assert.Equal(t, full+1, r.log.last.Op)
}
