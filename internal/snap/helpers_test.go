package snap

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

const dir = "data/snapshots"

var small = Options{Identity: "g", ChunkSize: 64}

func open(t testing.TB, fsys vfs.FS) *Store {
	t.Helper()
	s, err := Open(fsys, dir, small)
	require.NoError(t, err)
	return s
}

// state returns n bytes that depend on position and seed.
func state(n int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// headerOf returns the header that create gives the snapshot at op.
func headerOf(op uint64) []byte { return fmt.Appendf(nil, "members and sessions at op %d", op) }

// create writes a snapshot at op of view 1 in epoch 1.
func create(s *Store, op uint64, state []byte) (Info, error) {
	w, err := s.Create(ID{Epoch: 1, View: 1, Op: op}, headerOf(op))
	if err != nil {
		return Info{}, err
	}
	if _, err := w.Write(state); err != nil {
		return Info{}, err
	}
	return w.Commit()
}

func mustCreate(t testing.TB, s *Store, op uint64, state []byte) Info {
	t.Helper()
	info, err := create(s, op, state)
	require.NoError(t, err)
	return info
}

// read returns the bytes of the snapshot up to the first error, and the error.
func read(s *Store, id ID) ([]byte, Info, error) {
	r, info, err := s.Read(id)
	if err != nil {
		return nil, info, err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return b, info, err
}

// requireHeld checks that the store has the complete snapshot.
func requireHeld(t testing.TB, s *Store, info Info, state []byte) {
	t.Helper()
	got, held, err := read(s, info.ID)
	require.NoError(t, err)
	require.Equal(t, info, held)
	require.True(t, bytes.Equal(state, got), "the state differs")
}

// requireLatest checks that the store has the complete snapshot and that it is the latest.
func requireLatest(t testing.TB, s *Store, info Info, state []byte) {
	t.Helper()
	latest, ok := s.Latest()
	require.True(t, ok)
	require.Equal(t, info, latest)
	requireHeld(t, s, info, state)
}

// requireFiles checks which kinds of files the directory contains.
func requireFiles(t testing.TB, fsys vfs.FS, kinds ...string) {
	t.Helper()
	names, err := fsys.ReadDir(dir)
	require.NoError(t, err)
	got := []string{}
	for _, name := range names {
		got = append(got, path.Ext(name))
	}
	require.ElementsMatch(t, kinds, got)
}

// fetch puts missing chunks read from another store, at most limit of them.
func fetch(in *Incoming, from *Store, limit int) error {
	for i, ok := in.Next(0); ok && limit > 0; i, ok = in.Next(i + 1) {
		data, err := from.ReadChunk(in.id, i)
		if err != nil {
			return err
		}
		if err := in.Put(i, data); err != nil {
			return err
		}
		limit--
	}
	return nil
}

const all = 1 << 30

// transfer receives a snapshot, resuming it if it was partly received.
func transfer(to, from *Store, info Info) (Info, error) {
	in, err := to.Receive(info)
	if err != nil {
		return Info{}, err
	}
	if err := fetch(in, from, all); err != nil {
		in.Close()
		return Info{}, err
	}
	return in.Complete()
}

// unfinished describes the partly received snapshot that Receive can resume, if there is one.
func unfinished(s *Store) (Info, bool) {
	if s.unfinished == nil || s.superseded(s.unfinished.id) != nil {
		return Info{}, false
	}
	return s.unfinished.info(nil), true
}

// bare returns the part of info that a receiver gets.
func bare(info Info) Info { return Info{ID: info.ID, Size: info.Size, Chunks: info.Chunks} }

// file returns the path of a snapshot's file.
func file(info Info, kind string) string { return path.Join(dir, fileName(info.ID, kind)) }

// flip inverts a bit of the file's byte at off.
func flip(t testing.TB, m *vfs.Mem, info Info, off int64) {
	t.Helper()
	assert.NoError(t, m.FlipBit(file(info, complete), off, 3))
}
