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
	require.Greater(t, next, uint64(40))
	require.NoError(t, m.compare(l, 0))
	files := image(t, fs)
	assert.Len(t, files, 4, "head, two segments and one in reserve: the segment that did not fit is removed")
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

// F13: on a full disk, saves that may use the reserve succeed, after a crash too. All others wait until there is a segment in
// reserve again, although the segment that was in reserve has room for them. A crash in between loses nothing.
func TestReserve(t *testing.T) {
	for crash := range 12 {
		fs := vfs.NewCrashable()
		l := open(t, fs)
		m, next := fillActive(t, fs, l)
		full := entries(1, next, next+9)
		err := l.Save([]Save{full})
		require.True(t, vfs.IsFull(err), err)
		left := crash
		fs.SetHook(func(op vfs.Op) error {
			if left--; left == -1 {
				return syscall.EIO
			}
			return nil
		})
		err = l.SaveInReserve([]Save{full})
		if fs.SetHook(nil); err == nil {
			m = m.apply(full)
			next += 10
		}
		fs.Crash(newRNG(1, uint64(crash)))
		l = open(t, fs)
		if m.compare(l, 0) != nil { // the save was not reported, and is there
			m = m.apply(full)
			next += 10
		}
		require.NoError(t, m.compare(l, 0))
		require.NoError(t, l.SaveInReserve([]Save{entries(1, next, next)}))
		m, next = m.apply(entries(1, next, next)), next+1
		err = l.Save([]Save{entries(1, next, next)})
		require.True(t, vfs.IsFull(err), "crash %d: %v", crash, err)
		fs.SetCapacity(0)
		m = m.keep(t, l, entries(1, next, next+9))
		require.NoError(t, l.Close())
		require.NoError(t, m.compare(open(t, fs), 0))
	}
}

// fillActive fills the active segment of a log on a full disk, and returns the model and the next op.
func fillActive(t *testing.T, fs *vfs.Mem, l *Log) (m model, next uint64) {
	m = model{}.keep(t, l, entries(1, 1, 2))
	fs.SetCapacity(fs.Used() + 100)
	for next = 3; l.active.room(pad(savedSizeOf(entries(1, next, next+9)), sector)); next += 10 {
		m = m.keep(t, l, entries(1, next, next+9))
	}
	return m, next
}

// F13: a save that the segment in reserve cannot hold is refused before anything is written, and a smaller one may use
// the reserve.
func TestReserveThatIsTooSmall(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	m, next := fillActive(t, fs, l)
	err := l.SaveInReserve([]Save{entries(1, next, next+99)})
	require.True(t, vfs.IsFull(err), err)
	require.NoError(t, l.SaveInReserve([]Save{entries(1, next, next+9)}))
	require.NoError(t, m.apply(entries(1, next, next+9)).compare(l, 0))
}

// F13: while only a part of a segment is in reserve, other saves wait, even if the active segment has room for them.
func TestPartOfAReserve(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	m, next := fillActive(t, fs, l)
	require.NoError(t, l.SaveInReserve([]Save{entries(1, next, next+9)}))
	m = m.apply(entries(1, next, next+9))
	fs.SetCapacity(fs.Used() + minSegmentSize/2)
	waits := entries(1, next+10, next+10)
	for range 2 { // the first makes the part
		err := l.Save([]Save{waits})
		require.True(t, vfs.IsFull(err), err)
		require.EqualValues(t, minSegmentSize/2, l.reserved.Load())
	}
	fs.SetCapacity(0)
	m.keep(t, l, waits)
	require.EqualValues(t, minSegmentSize, l.reserved.Load())
}

// F13: if the segment in reserve cannot be taken for want of something, it stays in reserve for the next attempt.
func TestReserveThatCannotBeTaken(t *testing.T) {
	for _, kind := range []vfs.OpKind{vfs.OpRename, vfs.OpSyncDir, vfs.OpOpen} {
		fs := vfs.NewMem()
		l := open(t, fs)
		m, next := fillActive(t, fs, l)
		files, allocated, failed := image(t, fs), false, false
		fs.SetHook(func(op vfs.Op) error {
			allocated = allocated || op.Kind == vfs.OpAllocate // in vain: then the reserve is taken
			if allocated && !failed && op.Kind == kind {
				failed = true
				return syscall.EMFILE
			}
			return nil
		})
		err := l.SaveInReserve([]Save{entries(1, next, next+9)})
		require.True(t, vfs.Refused(err) && failed, "%s: %v", kind, err)
		require.Equal(t, files, image(t, fs), kind)
		require.NoError(t, l.SaveInReserve([]Save{entries(1, next, next+9)}), kind)
		require.NoError(t, m.apply(entries(1, next, next+9)).compare(l, 0))
	}
}

// Space takes no space.
func TestSpaceTakesNoSpace(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	model{}.keep(t, l, entries(1, 1, 2))
	used, files := fs.Used(), image(t, fs)
	require.NoError(t, l.Space())
	fs.SetCapacity(used)
	require.True(t, vfs.IsFull(l.Space()))
	assert.Equal(t, used, fs.Used())
	assert.Equal(t, files, image(t, fs))
}

// A small save still succeeds after a large one did not fit.
func TestFullDiskStillTakesWhatFits(t *testing.T) {
	fs := vfs.NewMem()
	fs.SetCapacity(headSize + 2*minSegmentSize)
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

// A snapshot that asks for the reserve waits for no save, whose disk may hang.
func TestReserveWaitsForNoSave(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	asked := false
	fs.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync && !asked {
			asked = true
			require.NoError(t, l.Reserve())
			have := l.reserved.Swap(0)
			require.True(t, vfs.Refused(l.Reserve()))
			l.reserved.Store(have)
		}
		return nil
	})
	require.NoError(t, l.Save([]Save{entries(1, 1, 2)}))
	require.True(t, asked)
}
