package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/sim/fault"
)

// F19: in many runs a person removes and replaces folders of members. No member that starts gives a false answer.
func TestTouchedFolders(t *testing.T) {
	singleThreaded(t)
	seeds := 60 // 2 s
	var total Stats
	var struck fault.Counts
	for i := range seeds {
		p, hazards := Draw(uint64(i + 1))
		p.Lists = drawCalls(p.Seed)
		p.Trouble = min(p.Trouble, 20*time.Second)
		hazards.Every[touches] = 500 * time.Millisecond
		if p.Volatile {
			continue
		}
		if i%2 == 0 {
			p.SnapshotEvery, p.KeepLog, p.SegmentSize, p.ChunkSize = 20, 0, 4<<10, 64
		}
		r := Run(&Schedule{Setup: *p}, hazards, p.Lists.Work(), nil)
		require.Nil(t, r.Violation, "seed %d", i+1)
		total = total.Plus(r.Stats)
		for kind, n := range r.Happened() {
			struck[kind] += n
		}
	}
	t.Logf("removed %d, older %d, others' %d; %d members lost their memory", struck[fault.RemoveFolder],
		struck[fault.OlderFolder], struck[fault.OthersFolder], total.Damaged)
	assert.NotZero(t, total.Damaged)
	for _, kind := range []fault.Kind{fault.RemoveFolder, fault.OlderFolder, fault.OthersFolder} {
		assert.NotZero(t, struck[kind], kind)
	}
}

// S6, X1: the log of a member is replaced by a copy that is older than its latest start. The next process counts as many
// starts as the one before and has another start number, so it is noticed before it takes that process's session for its
// own and answers its callers with results of that process.
func TestOlderLogOfAnEarlierStart(t *testing.T) {
	for seed := range uint64(4) {
		s, p := newDriven(t)
		backup := (p + 1) % 3
		answered := func(host, i int) {
			c := s.Call(host, 1, numbered(i))
			require.True(t, s.RunUntil(func() bool { return c.Outcome == Answered }, time.Second))
		}
		answered(backup, 1)
		again(t, s, backup)
		require.NoError(t, s.Do(fault.Fault{Kind: fault.OlderFolder, Host: backup, For: 3 * time.Second, Seed: seed}))
		require.NoError(t, s.Do(fault.Fault{Kind: fault.Crash, Host: backup}))
		s.RunFor(time.Duration(seed) * 10 * time.Millisecond)
		require.NoError(t, s.Do(fault.Fault{Kind: fault.Start, Host: backup}))
		s.RunFor(500 * time.Millisecond)
		answered(backup, 2)
		s.RunFor(5 * time.Second)
		require.Nil(t, s.Violation(), "seed %d", seed)
		assert.True(t, s.Status(backup).Lost, "seed %d", seed)
		assert.Empty(t, s.expired)
	}
}
