package wal

import (
	"bytes"
	"errors"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

// image returns the contents of all files except the lock.
func image(t *testing.T, fs *vfs.Mem) map[string]string {
	names, err := fs.ReadDir(dir)
	require.NoError(t, err)
	files := map[string]string{}
	for _, name := range names {
		b, err := fs.ReadFile(path.Join(dir, name))
		require.NoError(t, err)
		files[name] = string(b)
	}
	delete(files, "lock")
	return files
}

// severalSegments returns the files of a killed log of at least three segments, and the models
// before and after its last save.
func severalSegments(t *testing.T, mark bool) (fs *vfs.Mem, before, after model) {
	fs = vfs.NewMem()
	l := open(t, fs)
	for i := range uint64(11) {
		after = after.keep(t, l, entries(1+i/4, 10*i+1, 10*i+6), entries(1+i/4, 10*i+7, 10*i+10))
	}
	cut := entries(4, 108, 109)
	cut.From = 108
	after = after.keep(t, l, cut)
	before = after
	after = after.keep(t, l, entries(4, 110, 115))
	require.Greater(t, l.active.end, int64(3*sector), "the last save must not be the first of its segment")
	if mark {
		require.NoError(t, l.Mark())
	}
	require.Greater(t, len(l.segments), 2)
	fs.Kill()
	return fs, before, after
}

// A bit is flipped in every third byte of every file. If the log opens, it is complete; otherwise
// the error locates the damage and the directory is unchanged. Only the very last save of a log
// that had no time for its idle mark may be mistaken for a torn write.
func TestEveryFlippedBitIsNoticed(t *testing.T) {
	for name, mark := range map[string]bool{"busy": false, "idle": true} {
		t.Run(name, func(t *testing.T) {
			start := map[bool]int{false: 0, true: 1}[mark]
			fs, before, after := severalSegments(t, mark)
			pristine := fs.Clone()
			noticed, torn, intact := 0, 0, 0
			for file, content := range image(t, fs) {
				for off := start; off < len(content); off += 3 {
					if file == HeadName && off%copyOffset >= sector {
						continue
					}
					require.NoError(t, fs.FlipBit(path.Join(dir, file), int64(off), off%8))
					l, err := Open(fs, dir, small)
					switch {
					case err != nil:
						noticed++
						checkNoticed(t, err, file, int64(off))
						require.NoError(t, fs.FlipBit(path.Join(dir, file), int64(off), off%8))
						if off%64 == 0 {
							require.Equal(t, image(t, pristine), image(t, fs), "a damaged directory is left unchanged")
						}
						continue
					case after.compare(l, 0) == nil:
						intact++
					default:
						torn++
						require.NoError(t, before.compare(l, 0), "%s byte %d", file, off)
					}
					require.NoError(t, l.Close())
					fs = pristine.Clone()
				}
			}
			assert.Greater(t, noticed, 1500)
			assert.Greater(t, intact, 2*sector/3, "the head has two copies")
			if mark {
				assert.Zero(t, torn)
			} else {
				assert.InDelta(t, savedSizeOf(entries(4, 110, 115)), 3*torn, 64)
			}
		})
	}
}

func savedSizeOf(s Save) int64 { return savedSize(&s) }

func checkNoticed(t *testing.T, err error, file string, off int64) {
	var c *CorruptError
	if !errors.As(err, &c) {
		require.Fail(t, "not a CorruptError", "%s byte %d: %v", file, off, err)
	}
	require.ErrorIs(t, err, ErrCorrupt)
	require.Equal(t, path.Join(dir, file), c.File)
	require.LessOrEqual(t, c.Offset, off, "the error locates the damage at or before its true offset")
	require.Equal(t, c.Offset > 0, c.Op > 0, "no op is known while headers are read")
	require.NotEmpty(t, c.Reason)
}

func damaged(t *testing.T, fs *vfs.Mem) *CorruptError {
	t.Helper()
	before := image(t, fs)
	_, err := Open(fs, dir, small)
	var c *CorruptError
	require.ErrorAs(t, err, &c)
	require.Equal(t, before, image(t, fs), "a damaged directory is left unchanged")
	_, err = Open(fs, dir, small)
	require.ErrorIs(t, err, ErrCorrupt, "the lock is released")
	return c
}

// In a busy log the mark in the following save proves that a rotten save is not a torn write, even
// though recovery cannot read on as far as that mark.
func TestRotBeforeTheLastSave(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	m, ends := model{}, []int64{sector}
	for i := range uint64(4) {
		m = m.keep(t, l, entries(1, 3*i+1, 3*i+3))
		ends = append(ends, l.active.end)
	}
	require.Len(t, l.segments, 1)
	fs.Kill()
	for i := range 3 {
		for off := ends[i]; off < ends[i]+savedSizeOf(entries(1, 1, 3)); off += 5 {
			rotten := fs.Clone()
			require.NoError(t, rotten.FlipBit(path.Join(dir, segmentName(1)), off, int(off%8)))
			if l, err := Open(rotten, dir, small); err == nil { // the flipped bit is in a record's padding
				require.NoError(t, m.compare(l, 0), "byte %d", off)
				continue
			}
			require.Equal(t, uint64(3*i+1), damaged(t, rotten).Op, "byte %d", off)
		}
	}
}

// The save with the mark that proves a rotten one not to be torn may begin in the very next sector, because the rotten one
// shares its sector with an intact save of the same batch.
func TestRotBehindASaveOfTheSameBatch(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	m := model{}.keep(t, l, entries(1, 1, 1)) // the head and the segment hold a mark that covers it
	batch := l.active.end
	m = m.keep(t, l, entries(1, 2, 2), entries(1, 3, 3))
	require.Equal(t, batch+sector, l.active.end, "the two share a sector")
	m.keep(t, l, entries(1, 4, 4))
	require.Len(t, l.segments, 1)
	fs.Kill()
	require.NoError(t, fs.FlipBit(path.Join(dir, segmentName(1)), batch+savedSizeOf(entries(1, 2, 2)), 0))
	assert.Equal(t, uint64(3), damaged(t, fs).Op)
}

func TestMissingFiles(t *testing.T) {
	for name, reason := range map[string]string{
		segmentName(1): "segment 2",
		segmentName(2): "segment 3",
		HeadName:       "no head",
	} {
		fs, _, _ := severalSegments(t, false)
		require.NoError(t, fs.Remove(path.Join(dir, name)))
		c := damaged(t, fs)
		assert.Equal(t, path.Join(dir, name), c.File)
		assert.Contains(t, c.Reason, reason)
	}
}

// The loss of the last segment, or of the only one, is noticed too.
func TestMissingLastSegment(t *testing.T) {
	fs, _, _ := severalSegments(t, false)
	names, err := fs.ReadDir(dir)
	require.NoError(t, err)
	require.NoError(t, fs.Remove(path.Join(dir, names[len(names)-3]))) // the last names are those of the lock and the reserve
	damaged(t, fs)

	fs = vfs.NewMem()
	model{}.keep(t, open(t, fs), entries(1, 1, 1))
	fs.Kill()
	require.NoError(t, fs.Remove(path.Join(dir, segmentName(1))))
	assert.Contains(t, damaged(t, fs).Reason, "disappeared")
}

// F10: a write is lost, or lands on other valid data.
func TestMisdirectedStaleAndLostWrites(t *testing.T) {
	name := path.Join(dir, segmentName(2))
	for what, mend := range map[string]func(b []byte){
		"one batch over the next": func(b []byte) { copy(b[2*sector:3*sector], b[sector:2*sector]) },
		"a batch lost":            func(b []byte) { clear(b[2*sector : 3*sector]) },
		"all batches lost":        func(b []byte) { clear(b[sector:]) },
		"two batches swapped": func(b []byte) {
			first := bytes.Clone(b[sector : 2*sector])
			copy(b[sector:], b[2*sector:3*sector])
			copy(b[2*sector:], first)
		},
	} {
		t.Run(what, func(t *testing.T) {
			fs, _, _ := severalSegments(t, false)
			b, err := fs.ReadFile(name)
			require.NoError(t, err)
			mend(b)
			require.NoError(t, fs.Damage(name, 0, b))
			assert.Equal(t, name, damaged(t, fs).File)
		})
	}
	t.Run("another segment's bytes", func(t *testing.T) {
		fs, _, _ := severalSegments(t, false)
		b, err := fs.ReadFile(path.Join(dir, segmentName(1)))
		require.NoError(t, err)
		require.NoError(t, fs.Damage(name, 0, b[:sector]))
		assert.Contains(t, damaged(t, fs).Reason, "header is that of segment 1")
	})
	t.Run("another log's segment", func(t *testing.T) {
		fs, _, _ := severalSegments(t, false)
		other := vfs.NewMem()
		l, m := open(t, other), model{}
		for i := range uint64(12) {
			s := entries(1, 10*i+1, 10*i+10)
			s.Records[0].Data = bytes.Repeat([]byte("x"), 7)
			m = m.keep(t, l, s)
		}
		b, err := other.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, fs.Damage(name, 0, b))
		assert.Contains(t, damaged(t, fs).Reason, "begins with save")
	})
}

// A batch that a misdirected write has left after the end is not mistaken for part of the log.
func TestOldBatchBehindTheEnd(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	m := model{}.keep(t, l, entries(1, 1, 3)).keep(t, l, entries(1, 4, 6))
	fs.Kill()
	name := path.Join(dir, segmentName(1))
	b, err := fs.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, fs.Damage(name, l.active.end, b[2*sector:3*sector]))
	require.NoError(t, m.compare(open(t, fs), 0))
}

// F19: a head and segments of two memories, which have the same identity, do not belong together.
func TestHeadOfAnotherMemoryIsRefused(t *testing.T) {
	var disks [2]*vfs.Mem
	for i := range disks {
		disks[i] = vfs.NewMem()
		l := open(t, disks[i])
		s := entries(1, 1, 3)
		s.Head.Incarnation[0] = byte(i + 1)
		require.NoError(t, l.Save([]Save{s}))
		require.NoError(t, l.Close())
	}
	name := path.Join(dir, HeadName)
	other, err := disks[1].ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, disks[0].Damage(name, 0, other))
	c := damaged(t, disks[0])
	require.Equal(t, name, c.File)
	require.Contains(t, c.Reason, "it belongs to the memory 02000000, and the segments to 01000000")
}

// F11: a range that cannot be read is never mistaken for the end of the log.
func TestReadErrors(t *testing.T) {
	fs, _, _ := severalSegments(t, true)
	broken := errors.New("bad sector")
	for _, name := range []string{"head", segmentName(1), segmentName(3)} {
		for _, off := range []int64{0, sector} {
			fs.SetHook(func(op vfs.Op) error {
				if op.Kind == vfs.OpRead && strings.HasSuffix(op.Name, name) && op.Offset >= off {
					return broken
				}
				return nil
			})
			if name == "head" && off > 0 {
				l := open(t, fs)
				require.NoError(t, l.Close(), "one copy is enough")
				continue
			}
			_, err := Open(fs, dir, small)
			assert.ErrorIs(t, err, ErrCorrupt, name)
			assert.ErrorIs(t, err, broken, name)
		}
	}
}

// Read notices rot that appears while the log is open; the log stays alive.
func TestReadNoticesRot(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	m := model{}.keep(t, l, entries(1, 1, 9))
	p := l.state.index[4]
	name := path.Join(dir, segmentName(1))
	require.NoError(t, fs.FlipBit(name, p.offset()+recordSize, 0))
	_, err := l.Read(1, 9, 1<<20)
	var c *CorruptError
	require.ErrorAs(t, err, &c)
	assert.Equal(t, CorruptError{File: name, Offset: p.offset(), Op: 5, Reason: "the record is not intact, or is not the one written there"}, *c)
	got, err := l.Read(1, 4, 1<<20)
	require.NoError(t, err)
	assert.Equal(t, m.records[:4], got)
	require.NoError(t, fs.FlipBit(name, p.offset()+recordSize, 0))
	m.keep(t, l, entries(1, 10, 11))
}
