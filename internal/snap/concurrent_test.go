package snap

import (
	"errors"
	"io"
	"io/fs"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

// One goroutine creates snapshots, one receives them into another store, and others read the latest
// of both stores. Each reader sees a complete state, and at the end each store has one file.
func TestConcurrentUse(t *testing.T) {
	const last = 60
	m, n := vfs.NewMem(), vfs.NewMem()
	from, to := open(t, m), open(t, n)
	mustCreate(t, from, 1, state(500, 1))
	var running sync.WaitGroup
	running.Go(func() {
		for op := uint64(2); op <= last; op++ {
			_, err := create(from, op, state(500, op))
			assert.NoError(t, err)
		}
	})
	running.Go(func() {
		for done := false; !done; {
			done = receiveLatest(t, from, to).Op == last
		}
	})
	for _, s := range []*Store{from, to} {
		running.Go(func() {
			for op := uint64(0); op < last; {
				if latest, ok := s.Latest(); ok {
					op = readHeld(t, s, latest)
				}
			}
		})
	}
	running.Wait()
	requireFiles(t, m, complete)
	requireFiles(t, n, complete)
}

// receiveLatest returns the ID of the snapshot that it received, if from still had it.
func receiveLatest(t *testing.T, from, to *Store) ID {
	info, _ := from.Latest()
	release, err := from.Hold(info.ID)
	if err != nil {
		assert.ErrorIs(t, err, fs.ErrNotExist)
		return ID{}
	}
	defer release()
	if _, err := transfer(to, from, bare(info)); !errors.Is(err, ErrSuperseded) {
		assert.NoError(t, err)
	}
	return info.ID
}

func readHeld(t *testing.T, s *Store, info Info) uint64 {
	r, _, err := s.Read(info.ID)
	if err != nil {
		assert.ErrorIs(t, err, fs.ErrNotExist)
		return 0
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	assert.NoError(t, err)
	assert.Equal(t, state(500, info.ID.Op), got)
	return info.ID.Op
}

// A snapshot of many chunks takes the memory of one chunk, and its writes are synced in portions.
func TestLargeSnapshot(t *testing.T) {
	m := vfs.NewMem()
	syncs := 0
	m.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync {
			syncs++
		}
		if op.Kind == vfs.OpWrite || op.Kind == vfs.OpRead {
			assert.LessOrEqual(t, op.Length, int64(DefaultChunkSize))
		}
		return nil
	})
	s, err := Open(m, dir, Options{Identity: "g"})
	require.NoError(t, err)
	want := state(20<<20, 5)
	info := mustCreate(t, s, 5, want)
	require.EqualValues(t, 20<<20/DefaultChunkSize+1, info.Chunks)
	require.Equal(t, 3, syncs)
	requireLatest(t, s, info, want)
}

// The benchmark writes, syncs, reads back and finally reads a snapshot of 64 MiB.
func BenchmarkCreateAndRead(b *testing.B) {
	want := state(64<<20, 1)
	b.SetBytes(int64(len(want)))
	b.ReportAllocs()
	op := uint64(0)
	s, err := Open(vfs.NewMem(), dir, Options{Identity: "g"})
	require.NoError(b, err)
	for b.Loop() {
		op++
		info := mustCreate(b, s, op, want)
		r, _, err := s.Read(info.ID)
		require.NoError(b, err)
		_, err = io.Copy(io.Discard, r)
		require.NoError(b, err)
		require.NoError(b, r.Close())
	}
}
