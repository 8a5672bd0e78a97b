package snap

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

var errPower = errors.New("power lost")

// cutPower has every operation fail from the k'th on, and reports whether it came to that.
func cutPower(m *vfs.Mem, k int) (cut func() bool) {
	n := 0
	m.SetHook(func(vfs.Op) error {
		if n++; n > k {
			return errPower
		}
		return nil
	})
	return func() bool { return n > k }
}

// crashEverywhere runs act once for each of its operations, loses the power there, and after each
// of several ways in which the disk may survive has check look at it. acted says whether act had
// said that it was done.
func crashEverywhere(t *testing.T, prepare func(*vfs.Mem), act func(*vfs.Mem) error, check func(m *vfs.Mem, acted bool)) {
	t.Helper()
	start := vfs.NewCrashable()
	prepare(start)
	again := true
	for k := 0; again; k++ {
		m := start.Clone()
		cut := cutPower(m, k)
		err := act(m)
		again = cut()
		require.True(t, again || err == nil, "%v", err)
		m.SetHook(nil)
		for seed := range uint64(8) {
			c := m.Clone()
			c.Crash(rand.New(rand.NewPCG(uint64(k), seed)))
			check(c, err == nil)
		}
	}
}

func newer(t *testing.T) (five, nine Info, donor *Store) {
	donor = open(t, vfs.NewMem())
	five = mustCreate(t, donor, 5, state(300, 5))
	return five, mustCreate(t, donor, 9, state(700, 9)), donor
}

// requireOldOrNew checks that the latest is one of the two, the new one if it was said to be
// complete, and that the store goes on.
func requireOldOrNew(t *testing.T, m *vfs.Mem, five, nine Info, acted bool) {
	t.Helper()
	s := open(t, m)
	require.Empty(t, s.Damaged())
	if latest, _ := s.Latest(); acted || latest.ID == nine.ID {
		requireLatest(t, s, nine, state(700, 9))
	} else {
		requireLatest(t, s, five, state(300, 5))
	}
	ten := mustCreate(t, s, 10, state(100, 10))
	requireLatest(t, s, ten, state(100, 10))
	requireLatest(t, open(t, m), ten, state(100, 10))
}

// The power fails at any point of making a snapshot: the old one is there or the new one (F5).
func TestCrashInCreate(t *testing.T) {
	five, nine, _ := newer(t)
	crashEverywhere(t,
		func(m *vfs.Mem) { mustCreate(t, open(t, m), 5, state(300, 5)) },
		func(m *vfs.Mem) error {
			s, err := Open(m, dir, small)
			if err != nil {
				return err
			}
			_, err = create(s, 9, state(700, 9))
			return err
		},
		func(m *vfs.Mem, acted bool) { requireOldOrNew(t, m, five, nine, acted) })
}

// The same for receiving one; what was received is resumed, and comes out right.
func TestCrashInReceive(t *testing.T) {
	five, nine, donor := newer(t)
	receive := func(m *vfs.Mem) error {
		s, err := Open(m, dir, small)
		if err == nil {
			_, err = transfer(s, donor, bare(nine))
		}
		return err
	}
	resumed := 0
	check := func(m *vfs.Mem, acted bool) {
		s := open(t, m)
		if left, ok := s.Unfinished(); ok {
			require.Equal(t, bare(nine), left)
			in, err := s.Receive(left)
			require.NoError(t, err)
			if in.Missing() < nine.Chunks {
				resumed++
			}
			require.NoError(t, fetch(in, donor, all))
			_, err = in.Complete()
			require.NoError(t, err)
			acted = true
		}
		requireOldOrNew(t, m, five, nine, acted)
	}
	fresh := func(m *vfs.Mem) { mustCreate(t, open(t, m), 5, state(300, 5)) }
	begun := func(m *vfs.Mem) {
		fresh(m)
		in, err := open(t, m).Receive(bare(nine))
		require.NoError(t, err)
		require.NoError(t, fetch(in, donor, 6))
		m.Kill()
	}
	crashEverywhere(t, fresh, receive, check)
	require.NotZero(t, resumed)
	crashEverywhere(t, begun, receive, check)
}

// Killed between the rename and the directory's sync, the snapshot is seen after the restart: from
// then on the log may be cut below it, so it must stay through a power failure.
func TestKilledBeforeDirectorySync(t *testing.T) {
	five, nine, _ := newer(t)
	for seed := range uint64(20) {
		m := vfs.NewCrashable()
		s := open(t, m)
		mustCreate(t, s, 5, state(300, 5))
		m.SetHook(func(op vfs.Op) error {
			if op.Kind == vfs.OpSyncDir {
				return errPower
			}
			return nil
		})
		_, err := create(s, 9, state(700, 9))
		require.ErrorIs(t, err, errPower)
		m.SetHook(nil)
		m.Kill()
		requireLatest(t, open(t, m), nine, state(700, 9))
		m.Crash(rand.New(rand.NewPCG(seed, 0)))
		requireOldOrNew(t, m, five, nine, true)
	}
}

// After a failed sync what was received reads well and is not on disk. It is received or written
// again before it counts (F12).
func TestFailedSync(t *testing.T) {
	five, nine, donor := newer(t)
	for seed := range uint64(20) {
		m := vfs.NewCrashable()
		s := open(t, m)
		mustCreate(t, s, 5, state(300, 5))
		in, err := s.Receive(bare(nine))
		require.NoError(t, err)
		require.NoError(t, fetch(in, donor, all))
		m.SetHook(func(op vfs.Op) error {
			if op.Kind == vfs.OpSync || op.Kind == vfs.OpRemove { // killed before the removal
				return errPower
			}
			return nil
		})
		_, err = in.Complete()
		require.ErrorIs(t, err, errPower)
		m.SetHook(nil)
		m.Kill()

		s = open(t, m)
		in, err = s.Receive(bare(nine))
		require.NoError(t, err)
		require.Zero(t, in.Missing(), "it reads well")
		_, err = in.Complete()
		require.NoError(t, err)
		m.Crash(rand.New(rand.NewPCG(seed, 0)))
		requireOldOrNew(t, m, five, nine, true)
	}
}

// Once Receive has returned, a power failure leaves something to resume.
func TestCrashAfterReceive(t *testing.T) {
	_, nine, _ := newer(t)
	for seed := range uint64(20) {
		m := vfs.NewCrashable()
		_, err := open(t, m).Receive(bare(nine))
		require.NoError(t, err)
		m.Crash(rand.New(rand.NewPCG(seed, 0)))
		left, ok := open(t, m).Unfinished()
		require.True(t, ok)
		require.Equal(t, bare(nine), left)
	}
}
