package vsr

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A Tick is due when the first timeout expires, whichever it is.
func TestDeadlineIsTheFirstTimeout(t *testing.T) {
	for name, set := range map[string]func(r *Replica, at time.Time){
		"a question to the group":    func(r *Replica, at time.Time) { r.forming.questionAt = at },
		"a description of the log":   func(r *Replica, at time.Time) { r.viewChange.resendAt = at },
		"requests":                   func(r *Replica, at time.Time) { r.requests.retryAt = at },
		"a round of reads":           func(r *Replica, at time.Time) { r.reads.retryAt = at },
		"chunks of a snapshot":       func(r *Replica, at time.Time) { r.transfer.retryAt = at },
		"another snapshot":           func(r *Replica, at time.Time) { r.damaged, r.retakeAt = true, at },
		"the floor of the session":   func(r *Replica, at time.Time) { r.requests = requests{session: 1, floor: 2, floorAt: at} },
		"nothing, for a long time":   func(r *Replica, at time.Time) { r.lastTick = at.Add(-r.pauseLimit() / 2) },
		"a vote of its own, renewed": func(r *Replica, at time.Time) { r.viewChange.voting, r.viewChange.repeatVoteAt = true, at },
	} {
		r := followsB(t)
		r.advance(r.now.Add(r.cfg.Heartbeat))
		require.True(t, r.Deadline().After(r.now.Add(time.Second)), name)
		at := r.now.Add(time.Second)
		set(r, at)
		assert.Equal(t, at, r.Deadline(), name)
	}
}

// D4: a read of the disk that waits while the process does not run, for a member or for this replica itself, does not make
// a primary leave.
func TestAPauseIsNoFaultOfARead(t *testing.T) {
	for name, wait := range map[string]func(r *Replica){
		"of entries for a member":  func(r *Replica) { r.primary.progress[1].loadingSince = r.now },
		"of entries to be applied": func(r *Replica) { r.applying.loadingSince = r.now },
		"of a chunk for a member":  func(r *Replica) { r.chunkReads = []chunkRead{{since: r.now}} },
	} {
		r := member(t, 0)
		r.cfg.DiskLimit = 20 * time.Second
		leadNext(t, r)
		wait(r)
		r.Step(r.now.Add(time.Hour), &Tick{})
		assert.Equal(t, serving, r.primary.resigned, name)
	}
}

// D3: a primary whose read of a chunk hangs gives up its role, and goes on once the chunk is read.
func TestAReadOfAChunkThatEndsIsNoReasonToLeave(t *testing.T) {
	r := member(t, 0)
	r.cfg.DiskLimit = 5 * time.Second
	leadNext(t, r)
	hear(r, 1, &GetChunk{Chunk: 7})
	for range 6 {
		r.Step(r.now.Add(time.Second), &Tick{})
	}
	require.Equal(t, diskHung, r.primary.resigned)
	r.Step(r.now, &ChunkRead{Chunk: r.chunkReads[0].ChunkWanted, OK: true})
	assert.Equal(t, serving, r.primary.resigned)
}
