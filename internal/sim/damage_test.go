package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/sim/fault"
)

// newLogged returns a group as newDriven does, with operations in the log that marks cover.
func newLogged(t *testing.T) (s *Sim, backup int, first, last int64) {
	s, p := newDriven(t)
	for i := range 5 {
		c := s.Call(p, 1, numbered(i))
		require.True(t, s.RunUntil(func() bool { return c.Outcome == Answered }, time.Second))
		first, last = last, int64(c.At)
	}
	s.RunFor(2 * time.Second)
	return s, (p + 1) % 3, first, last
}

func numbered(i int) Operation { return Operation{Body: []byte{1, 0, byte(i), 'n'}} }

// again restarts a replica.
func again(t *testing.T, s *Sim, host int) {
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Crash, Host: host}))
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Start, Host: host}))
	s.RunFor(time.Second)
}

// F10: a replica notices a lost or misplaced write of an entry, at its next start at the latest, and
// the others go on.
func TestMisdirectedWritesOfTheLogAreNoticed(t *testing.T) {
	for _, kind := range []fault.Kind{fault.LostInLog, fault.MisplacedInLog} {
		for seed := range uint64(4) {
			s, backup, first, last := newLogged(t)
			require.NoError(t, s.Do(fault.Fault{Kind: kind, Host: backup, N: []int64{first, last}[seed/2], Seed: seed}),
				kind)
			again(t, s, backup)
			assert.True(t, s.Status(backup).Lost, "%v, seed %d", kind, seed)
			c := s.Call((backup+1)%3, 1, command())
			s.RunFor(5 * time.Second)
			assert.Equal(t, Answered, c.Outcome)
			assert.Nil(t, s.Violation())
		}
	}
}

// F10: a running replica does not send misplaced bytes as an entry.
func TestMisplacedWritesAreNotGivenAway(t *testing.T) {
	damageIsNotGivenAway(t, fault.MisplacedInLog)
}

// F6: a running replica stops at an entry that has rotted, and does not send it.
func TestRotIsNotGivenAway(t *testing.T) { damageIsNotGivenAway(t, fault.RotLog) }

// damageIsNotGivenAway checks that the primary stops when it reads a damaged entry for a member that lacks it.
func damageIsNotGivenAway(t *testing.T, kind fault.Kind) {
	setup, w := Calm(1), listWork(10, 0, 0)
	setup.Tail, w.Next = 1, nil // every entry that a member lacks is read from the disk
	s, err := New(setup, w, nil)
	require.NoError(t, err)
	s.Begin()
	require.NoError(t, s.Converge(10*time.Second))
	p := s.Primary()
	behind := (p + 1) % 3
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Crash, Host: behind}))
	s.RunFor(5 * time.Second)
	var ops []uint64
	for i := range 10 {
		c := s.Call(p, 1, numbered(i))
		require.True(t, s.RunUntil(func() bool { return c.Outcome == Answered }, time.Second))
		ops = append(ops, c.At)
	}
	s.RunFor(time.Second)
	require.NoError(t, s.Do(fault.Fault{Kind: kind, Host: p, N: int64(ops[5]), Seed: 20}))
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Start, Host: behind}))
	require.NoError(t, s.Converge(20*time.Second))
	assert.True(t, s.Status(p).Lost, "it has stopped at what it read, and then not started")
	assert.GreaterOrEqual(t, s.Status(behind).Applied, ops[9])
	assert.Nil(t, s.Violation())
}

// F10: a replica survives an older copy of the head that is out of date, and an earlier save behind
// the end of the log.
func TestHarmlessMisdirectedWrites(t *testing.T) {
	for _, kind := range []fault.Kind{fault.LostInHead, fault.StrayWrite} {
		s, backup, _, last := newLogged(t)
		require.NoError(t, s.Do(fault.Fault{Kind: kind, Host: backup, Seed: 2}), kind)
		again(t, s, backup)
		assert.False(t, s.Status(backup).Lost, kind)
		require.NoError(t, s.Converge(10*time.Second))
		assert.GreaterOrEqual(t, s.Status(backup).Applied, uint64(last))
		assert.Nil(t, s.Violation())
	}
}

// No fault leaves only a copy of the head that is out of date: a replica could not notice that.
func TestOnlyOneCopyOfTheHeadIsSpoilt(t *testing.T) {
	s, backup, _, _ := newLogged(t)
	require.NoError(t, s.Do(fault.Fault{Kind: fault.LostInHead, Host: backup}))
	older, late := olderOf(s.hosts[backup].headCopies())
	require.True(t, late)
	assert.ErrorContains(t, s.Do(fault.Fault{Kind: fault.RotHead, Host: backup, N: int64(1 - older)}), "out of date")
	assert.Error(t, s.Do(fault.Fault{Kind: fault.LostInHead, Host: backup}))
	assert.NoError(t, s.Do(fault.Fault{Kind: fault.RotHead, Host: backup, N: int64(older)}))
}

// F10: a replica does not send a lost or misplaced chunk of its snapshot, and takes another snapshot.
func TestMisdirectedWritesOfASnapshot(t *testing.T) {
	for _, kind := range []fault.Kind{fault.LostInSnapshot, fault.MisplacedInSnapshot} {
		setup, w := Calm(1), listWork(10, 0, 0)
		setup.SnapshotEvery, setup.KeepLog, setup.SegmentSize, setup.ChunkSize, setup.Tail = 20, 0, 4<<10, 64, 1
		w.Next = nil
		s, err := New(setup, w, nil)
		require.NoError(t, err)
		s.Begin()
		require.NoError(t, s.Converge(10*time.Second))
		p := s.Primary()
		behind := (p + 1) % 3
		require.NoError(t, s.Do(fault.Fault{Kind: fault.Crash, Host: behind}))
		s.RunFor(5 * time.Second)
		for i := range 100 {
			c := s.Call(p, 1, numbered(i))
			require.True(t, s.RunUntil(func() bool { return c.Outcome == Answered }, time.Second))
		}
		s.RunFor(time.Second)
		require.NoError(t, s.Do(fault.Fault{Kind: kind, Host: p, Seed: 600}), kind)
		snapshots := s.Report().Stats.Snapshots
		require.NoError(t, s.Do(fault.Fault{Kind: fault.Start, Host: behind}))
		require.NoError(t, s.Converge(20*time.Second))
		assert.Equal(t, 1, s.Report().Stats.Transfers)
		assert.Greater(t, s.Report().Stats.Snapshots, snapshots, kind)
		assert.Nil(t, s.Violation())
	}
}

// F17, F18: a process is refused on a directory of another replica, and on one in use.
func TestMistakenStartsAreRefused(t *testing.T) {
	s, backup, _, _ := newLogged(t)
	other := (backup + 1) % 3
	require.NoError(t, s.Do(fault.Fault{Kind: fault.SecondStart, Host: backup}))
	require.NoError(t, s.Do(fault.Fault{Kind: fault.ForeignStart, Host: backup, To: other}))
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Pause, Host: other}))
	require.NoError(t, s.Do(fault.Fault{Kind: fault.SecondStart, Host: other}),
		"a process that stands still has its lock")
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Resume, Host: other}))
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Crash, Host: backup}))
	require.ErrorContains(t, s.Do(fault.Fault{Kind: fault.SecondStart, Host: backup}), "is down")
	require.NoError(t, s.Do(fault.Fault{Kind: fault.ForeignStart, Host: backup, To: other}))
	require.NoError(t, s.Do(fault.Fault{Kind: fault.ForeignStart, Host: backup, To: backup}))
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Start, Host: backup}), "its own process is let in")
	require.NoError(t, s.Converge(10*time.Second))
	assert.True(t, s.Status(backup).Up)
	assert.Nil(t, s.Violation())
}
