package wal

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

// F13: a full disk is noticed before anything is written. Heads are still saved, records are still
// read, and the same save succeeds once there is space.
func TestFullDiskIsSurvived(t *testing.T) {
	fs := vfs.NewCrashable()
	fs.SetCapacity(headSize + 3*minSegmentSize + 1000)
	l := open(t, fs)
	var m model
	next := uint64(1)
	var refused Save
	for {
		refused = entries(1, next, next+9)
		if err := l.Save([]Save{refused}); err != nil {
			require.True(t, vfs.IsFull(err), err)
			break
		}
		m, next = m.apply(refused), next+10
	}
	require.Greater(t, next, uint64(60))
	require.NoError(t, m.compare(l, 0))
	files := image(t, fs)
	assert.Len(t, files, 4, "head and three segments: the segment that did not fit is removed")
	err := l.Save([]Save{refused})
	assert.True(t, vfs.IsFull(err), err)
	assert.Equal(t, files, image(t, fs))

	for view := uint64(2); view < 500; view++ {
		head := m.head
		head.View = view
		m = m.keep(t, l, Save{Head: head})
	}
	require.NoError(t, l.Mark())
	fs.Crash(newRNG(1, 1))
	l = open(t, fs)
	require.NoError(t, m.compare(l, 0), "the log opens on a full disk")

	_, err = l.Compact(next/2, next/2, 0)
	require.NoError(t, err)
	refused.Head.View = m.head.View
	m = m.keepTo(t, l, next/2, refused)
	require.NoError(t, l.Close())
	require.NoError(t, m.compare(open(t, fs), next/2))
}

// A small save still succeeds after a large one did not fit.
func TestFullDiskStillTakesWhatFits(t *testing.T) {
	fs := vfs.NewMem()
	fs.SetCapacity(headSize + minSegmentSize)
	l := open(t, fs)
	m := model{}.keep(t, l, entries(1, 1, 2))
	err := l.Save([]Save{entries(1, 3, 100)})
	require.True(t, vfs.IsFull(err), err)
	m.keep(t, l, entries(1, 3, 4))
}

// A write that finds the disk full despite preallocation leaves the contents in doubt. The error is
// therefore not one that a caller may wait out.
func TestFullDiskInTheMiddleEndsTheLog(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	model{}.keep(t, l, entries(1, 1, 2))
	fs.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpWrite {
			return syscall.ENOSPC
		}
		return nil
	})
	err := l.Save([]Save{entries(1, 3, 4)})
	require.Error(t, err)
	assert.False(t, vfs.IsFull(err))
	fs.SetHook(nil)
	assert.Equal(t, err, l.Save([]Save{entries(1, 3, 4)}))
}

// Open on a full disk leaves no file in a fresh directory.
func TestOpenOnAFullDisk(t *testing.T) {
	fs := vfs.NewMem()
	fs.SetCapacity(100)
	_, err := Open(fs, dir, small)
	assert.True(t, vfs.IsFull(err), err)
	assert.Empty(t, image(t, fs))
	fs.SetCapacity(0)
	open(t, fs)
}
