package wal

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

// F13: while no file can be opened, saves go on in the segment that is there, and so do heads, reads and compactions. A
// save that needs another segment changes nothing, whether it may use the reserve or not, and succeeds later.
func TestNoDescriptors(t *testing.T) {
	fs := vfs.NewCrashable()
	l := open(t, fs)
	m := model{}.keep(t, l, entries(1, 1, 2))
	fs.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpOpen || op.Kind == vfs.OpReadDir || op.Kind == vfs.OpLock {
			return syscall.EMFILE
		}
		return nil
	})
	next := uint64(3)
	for ; l.active.room(pad(savedSizeOf(entries(1, next, next+9)), sector)); next += 10 {
		m = m.keep(t, l, entries(1, next, next+9))
	}
	used, refused := fs.Used(), entries(1, next, next+9)
	for range 3 {
		err := l.Save([]Save{refused})
		assert.True(t, vfs.Refused(err) && !vfs.IsFull(err), err)
		err = l.SaveInReserve([]Save{refused})
		assert.True(t, vfs.Refused(err), err)
		err = l.Space()
		assert.True(t, vfs.Refused(err), err)
	}
	assert.Equal(t, used, fs.Used())
	head := m.head
	head.View = 7
	m = m.keep(t, l, Save{Head: head})
	require.NoError(t, l.Mark())
	require.NoError(t, m.compare(l, 0))
	_, err := l.Compact(next, next, 0)
	require.NoError(t, err)
	fs.SetHook(nil)
	refused.Head.View = 7
	m = m.keep(t, l, refused)
	fs.Crash(newRNG(1, 1))
	require.NoError(t, m.compare(open(t, fs), 0))
}

// F12, F13: an operation of a save that fails for want of something before a byte is in doubt is waited out: the log
// lives, and another save may follow. A write or a sync that fails so is in doubt, and ends the log. After a crash all
// saves that were reported are there.
func TestWhereAByteIsInDoubt(t *testing.T) {
	seen, large := map[vfs.OpKind]bool{}, entries(1, 3, 99)
	all := []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EAGAIN, syscall.EINTR}
	for _, errno := range all {
		for nth := 0; ; nth++ {
			fs := vfs.NewCrashable()
			l := open(t, fs)
			m := model{}.keep(t, l, entries(1, 1, 2))
			left, failed := nth, vfs.Op{}
			fs.SetHook(func(op vfs.Op) error {
				if left--; left == -1 {
					failed = op
					return errno
				}
				return nil
			})
			err := l.Save([]Save{large})
			fs.SetHook(nil)
			if failed.Kind == "" {
				require.NoError(t, err)
				break
			}
			seen[failed.Kind] = true
			name := fmt.Sprintf("%v: %v", errno, failed)
			switch failed.Kind {
			case vfs.OpWrite, vfs.OpSync, vfs.OpSyncDir:
				require.Error(t, err, name)
				assert.False(t, vfs.Refused(err), name)
				assert.Equal(t, err, l.Save([]Save{large}), name)
			case vfs.OpTruncate: // of the segment before, which only takes space
				require.NoError(t, err, name)
				m = m.apply(large)
			default:
				assert.True(t, vfs.Refused(err), name)
				m = m.keep(t, l, entries(1, 3, 3)) // another one
				require.NoError(t, l.Mark())
			}
			fs.Crash(newRNG(1, uint64(nth)))
			l = open(t, fs)
			if m.compare(l, 0) != nil { // the save was not reported, and is there
				m = m.apply(large)
			}
			require.NoError(t, m.compare(l, 0), name)
		}
	}
	for _, kind := range []vfs.OpKind{vfs.OpOpen, vfs.OpAllocate, vfs.OpWrite, vfs.OpSync, vfs.OpRename, vfs.OpSyncDir,
		vfs.OpTruncate} {
		assert.True(t, seen[kind], "a save that begins a segment has no %s", kind)
	}
}

// A file that cannot be removed for want of something is removed by the next compaction. A read that fails so reports
// no damage, neither to a reader nor when the log is opened.
func TestShortageIsNoDamage(t *testing.T) {
	fs, _, m := severalSegments(t, true)
	fail := vfs.OpRead
	hook := func(op vfs.Op) error {
		if op.Kind == fail {
			return syscall.ENOMEM
		}
		return nil
	}
	fs.SetHook(hook)
	_, err := Open(fs, dir, small)
	assert.True(t, vfs.IsShort(err) && !errors.Is(err, ErrCorrupt), err)
	fs.SetHook(nil)
	l := open(t, fs)
	fs.SetHook(hook)
	base, last := l.Bounds()
	_, err = l.Read(base.Op+1, last.Op, 100)
	assert.True(t, vfs.IsShort(err) && !errors.Is(err, ErrCorrupt), err)

	fail = vfs.OpRemove
	before := len(image(t, fs))
	_, err = l.Compact(last.Op, last.Op, 0)
	require.NoError(t, err)
	assert.Len(t, image(t, fs), before)
	fs.SetHook(nil)
	_, err = l.Compact(last.Op, last.Op, 0)
	require.NoError(t, err)
	assert.Less(t, len(image(t, fs)), before)
	require.NoError(t, m.compare(l, last.Op))
}
