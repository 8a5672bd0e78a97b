package wal

import (
	"path"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

func TestBothCopiesOfTheHeadRotten(t *testing.T) {
	fs, _, _ := severalSegments(t, true)
	require.NoError(t, fs.FlipBit(dir+"/head", 50, 1))
	require.NoError(t, fs.FlipBit(dir+"/head", copyOffset+50, 1))
	assert.Equal(t, dir+"/head", damaged(t, fs).File)
}

// In an idle log either copy of the head proves that the last save is not a torn write: two places
// of one disk may rot (simulation seed 70000583).
func TestOneCopyOfTheHeadAndTheLastSaveRotten(t *testing.T) {
	idle := map[string]func(l *Log){
		"marked":             func(l *Log) { require.NoError(t, l.Mark()) },
		"closed":             func(l *Log) { require.NoError(t, l.Close()) },
		"marked with a head": func(l *Log) { require.NoError(t, l.writeHead(l.state.head, false)); require.NoError(t, l.Mark()) },
		"marked twice":       func(l *Log) { require.NoError(t, l.Mark()); require.NoError(t, l.Mark()) },
	}
	for name, rest := range idle {
		for _, place := range []int64{0, copyOffset} {
			fs := vfs.NewMem()
			l := open(t, fs)
			m := model{}.keep(t, l, entries(1, 1, 4))
			m.keep(t, l, entries(1, 5, 9))
			end := l.active.end
			rest(l)
			fs.Kill()
			require.NoError(t, fs.FlipBit(dir+"/head", place+50, 1))
			require.NoError(t, fs.FlipBit(path.Join(dir, segmentName(1)), end-sector+200, 1))
			assert.Equal(t, uint64(5), damaged(t, fs).Op, "%s, the copy at %d", name, place)
		}
	}
}

// F10: a write to the older copy of the head is lost, be it the first write of all. The next write replaces that copy, so
// the newer one survives a loss of power at any operation of Open that tears the write.
func TestLostWriteOfTheOlderCopyOfTheHead(t *testing.T) {
	for lost := range uint64(2) {
		for cut, over := 0, false; !over; cut++ {
			for seed := range uint64(100) {
				fs := vfs.NewCrashable()
				l, err := Open(fs, dir, small)
				require.NoError(t, err)
				for view := range lost {
					require.NoError(t, l.Save([]Save{{Head: Head{View: view + 1}}}))
				}
				before, err := fs.ReadFile(dir + "/head")
				require.NoError(t, err)
				require.NoError(t, l.Save([]Save{{Head: Head{View: lost + 1}}}))
				require.NoError(t, fs.Damage(dir+"/head", copyOffset, before[copyOffset:]))
				fs.Kill()
				l, over, err = openAfterPowerLoss(fs, cut, seed)
				require.NoError(t, err)
				require.Equal(t, lost+1, l.Head().View, "cut %d, seed %d", cut, seed)
			}
		}
	}
}

// After a kill the later copy of the head may be readable without being durable. The next write
// replaces it, so the durable copy survives a loss of power at any operation of Open.
func TestKilledWhileTheHeadIsWritten(t *testing.T) {
	for cut, over := 0, false; !over; cut++ {
		for seed := range uint64(200) {
			fs := vfs.NewCrashable()
			l, err := Open(fs, dir, small)
			require.NoError(t, err)
			require.NoError(t, l.Save([]Save{{Head: Head{View: 1}}}))
			fs.SetHook(func(op vfs.Op) error {
				if op.Kind == vfs.OpSync {
					return errPower
				}
				return nil
			})
			require.Error(t, l.Save([]Save{{Head: Head{View: 2}}}))
			fs.Kill()
			l, over, err = openAfterPowerLoss(fs, cut, seed)
			require.NoError(t, err, "cut %d, seed %d", cut, seed)
			require.GreaterOrEqual(t, l.Head().View, uint64(1), "cut %d, seed %d", cut, seed)
		}
	}
}

// openAfterPowerLoss opens the log, cuts the power after the given number of operations, and opens the log again. It
// reports over if no operation was left to be cut.
func openAfterPowerLoss(fs *vfs.Mem, cut int, seed uint64) (l *Log, over bool, err error) {
	left := cut
	over = true
	fs.SetHook(func(op vfs.Op) error {
		if left--; left < 0 && op.Kind.Changes() {
			over = false
			return errPower
		}
		return nil
	})
	Open(fs, dir, small)
	fs.Crash(newRNG(seed, uint64(cut)))
	fs.SetHook(nil)
	l, err = Open(fs, dir, small)
	return l, over, err
}
