package snap

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

var errPower = errors.New("power lost")

// cutPower makes every operation after the first k fail. cut reports whether one has failed.
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

// crashEverywhere runs act and cuts the power after every possible number of operations. For each
// it runs check on several states in which the disk may survive. acted reports whether act returned
// nil.
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

// requireOldOrNew checks that the latest snapshot is one of the two, the new one if acted is set,
// and that the store accepts another one.
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

// If the power fails at any point of Create, the old or the new snapshot is there (F5).
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

// The same holds for Receive. A partly received snapshot can be resumed and is then complete.
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
		if left, ok := unfinished(s); ok {
			require.Equal(t, bare(nine), left)
			in, err := s.Receive(left)
			require.NoError(t, err)
			if in.missing < nine.Chunks {
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

// A snapshot becomes visible if the process is killed between the rename and the sync of the
// directory. The log may be compacted below it, so it must survive a power failure from then on.
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

// After a failed sync the received chunks are readable but not durable. They are received or
// written again before they count (F12).
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
		require.Zero(t, in.missing, "all chunks are readable")
		_, err = in.Complete()
		require.NoError(t, err)
		m.Crash(rand.New(rand.NewPCG(seed, 0)))
		requireOldOrNew(t, m, five, nine, true)
	}
}

// Once Receive has returned, a power failure leaves a file to resume.
func TestCrashAfterReceive(t *testing.T) {
	_, nine, _ := newer(t)
	for seed := range uint64(20) {
		m := vfs.NewCrashable()
		_, err := open(t, m).Receive(bare(nine))
		require.NoError(t, err)
		m.Crash(rand.New(rand.NewPCG(seed, 0)))
		left, ok := unfinished(open(t, m))
		require.True(t, ok)
		require.Equal(t, bare(nine), left)
	}
}
