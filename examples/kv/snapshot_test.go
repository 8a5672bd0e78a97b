package main

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// filled returns a store with some pairs and requests.
func filled(t *testing.T) *store {
	t.Helper()
	s := newStore()
	for i := range uint64(60) {
		c := command{Verb: put, Key: fmt.Sprintf("k%d\xff", i), Value: fmt.Append(nil, i)}
		if i%2 == 0 {
			c.Request = fmt.Sprint("r", i)
		}
		apply(t, s, i+1, c)
	}
	return s
}

// image returns a snapshot of the store.
func image(t *testing.T, s *store) []byte {
	t.Helper()
	frozen, err := s.Snapshot()
	require.NoError(t, err)
	var written bytes.Buffer
	n, err := frozen.WriteTo(&written)
	require.NoError(t, err)
	require.EqualValues(t, written.Len(), n)
	return written.Bytes()
}

func TestRestoredStoreIsTheSame(t *testing.T) {
	s, restored := filled(t), newStore()
	apply(t, restored, 7, command{Verb: put, Key: "of before", Request: "of before"})
	require.NoError(t, restored.Restore(bytes.NewReader(image(t, s))))

	assert.Equal(t, pairsOf(s, "", "", 1000), pairsOf(restored, "", "", 1000))
	assert.Equal(t, s.applied, restored.applied)
	assert.Equal(t, image(t, s), image(t, restored))
	again := apply(t, restored, 500, command{Verb: put, Key: "new", Request: "r8"})
	assert.EqualValues(t, 9, again.Op, "requests are remembered across a snapshot")
	_, known := restored.requests.answer("of before")
	assert.False(t, known)
}

func TestSnapshotDoesNotSeeLaterWrites(t *testing.T) {
	s := filled(t)
	before := image(t, s)
	frozen, err := s.Snapshot()
	require.NoError(t, err)
	var written bytes.Buffer
	wrote := make(chan error)
	go func() {
		_, err := frozen.WriteTo(&written)
		wrote <- err
	}()
	for i := range uint64(500) {
		apply(t, s, 1000+i, command{Verb: put, Key: fmt.Sprintf("k%d\xff", i), Value: []byte("later"), Request: fmt.Sprint("later", i)})
	}
	require.NoError(t, <-wrote)
	assert.Equal(t, before, written.Bytes())
}

func TestRestoreRefusesWhatIsNoSnapshot(t *testing.T) {
	whole := image(t, filled(t))
	for cut := range len(whole) {
		require.Error(t, newStore().Restore(bytes.NewReader(whole[:cut])), "cut after %d of %d bytes", cut, len(whole))
	}
	future := encode(snapshotHeader{Format: 2})
	assert.ErrorContains(t, newStore().Restore(bytes.NewReader(future)), "format 2")
}

func TestWriteToReportsAFullDisk(t *testing.T) {
	frozen, err := filled(t).Snapshot()
	require.NoError(t, err)
	full := errors.New("full")
	_, err = frozen.WriteTo(failingWriter{full})
	assert.ErrorIs(t, err, full)
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

func FuzzRestore(f *testing.F) {
	s := newStore()
	s.pairs.ReplaceOrInsert(pair{"k", []byte("v")})
	s.requests.remember("r", answer{Op: 1, Outcome: done})
	var written bytes.Buffer
	frozen, _ := s.Snapshot()
	_, _ = frozen.WriteTo(&written)
	f.Add(written.Bytes())
	f.Add(encode(snapshotHeader{Format: snapshotFormat, Pairs: 1 << 40}))
	f.Fuzz(func(t *testing.T, image []byte) {
		restored := newStore()
		if restored.Restore(bytes.NewReader(image)) != nil {
			require.Zero(t, restored.pairs.Len(), "half a snapshot is not taken")
		}
	})
}
