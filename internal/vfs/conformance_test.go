package vfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// everyFS runs a test on each implementation. dir is an empty directory.
func everyFS(t *testing.T, test func(t *testing.T, fsys FS, dir string)) {
	t.Run("os", func(t *testing.T) { test(t, OS(), filepath.ToSlash(t.TempDir())) })
	for name, m := range map[string]*Mem{"mem": NewMem(), "crashable": NewCrashable()} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, m.MkdirAll("/data"))
			test(t, m, "/data")
		})
	}
}

func create(t *testing.T, fsys FS, name string) File {
	t.Helper()
	f, err := fsys.OpenFile(name, os.O_CREATE)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func write(t *testing.T, f File, off int64, s string) {
	t.Helper()
	n, err := f.WriteAt([]byte(s), off)
	require.NoError(t, err)
	require.Equal(t, len(s), n)
}

func content(t *testing.T, f File) string {
	t.Helper()
	size, err := f.Size()
	require.NoError(t, err)
	b := make([]byte, size)
	_, err = f.ReadAt(b, 0)
	require.NoError(t, err)
	return string(b)
}

func TestFileReadsWhatWasWritten(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, dir string) {
		f := create(t, fsys, dir+"/f")
		write(t, f, 0, "hello")
		write(t, f, 3, "p, help")
		write(t, f, 12, "!")
		assert.Equal(t, "help, help\x00\x00!", content(t, f))
		require.NoError(t, f.Sync())

		b := make([]byte, 10)
		n, err := f.ReadAt(b, 10)
		assert.Equal(t, 3, n)
		assert.Equal(t, io.EOF, err)
		n, err = f.ReadAt(b, 99)
		assert.Equal(t, 0, n)
		assert.Equal(t, io.EOF, err)
		_, err = f.ReadAt(b, -1)
		assert.Error(t, err)
		_, err = f.WriteAt(b, -1)
		assert.Error(t, err)
	})
}

func TestFileSizes(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, dir string) {
		f := create(t, fsys, dir+"/f")
		write(t, f, 0, "hello")
		require.NoError(t, f.Truncate(2))
		require.NoError(t, f.Truncate(4))
		assert.Equal(t, "he\x00\x00", content(t, f), "after a cut the file grows with zeros")

		require.NoError(t, f.Allocate(100_000))
		assert.Equal(t, "he"+string(make([]byte, 99_998)), content(t, f))
		require.NoError(t, f.Allocate(10))
		size, err := f.Size()
		require.NoError(t, err)
		assert.EqualValues(t, 100_000, size, "Allocate never shortens")
		require.NoError(t, f.Sync())
	})
}

func TestOpenFileFlags(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, dir string) {
		_, err := fsys.OpenFile(dir+"/f", 0)
		assert.ErrorIs(t, err, fs.ErrNotExist)
		_, err = fsys.OpenFile(dir+"/none/f", os.O_CREATE)
		assert.ErrorIs(t, err, fs.ErrNotExist)
		_, err = fsys.OpenFile(dir, os.O_CREATE)
		assert.Error(t, err, "a directory")

		write(t, create(t, fsys, dir+"/f"), 0, "hello")
		_, err = fsys.OpenFile(dir+"/f", os.O_CREATE|os.O_EXCL)
		assert.ErrorIs(t, err, fs.ErrExist)
		assert.Equal(t, "hello", content(t, create(t, fsys, dir+"/f")))

		f, err := fsys.OpenFile(dir+"/f", os.O_TRUNC)
		require.NoError(t, err)
		assert.Equal(t, "", content(t, f))
		require.NoError(t, f.Close())
		_, err = f.ReadAt(make([]byte, 1), 0)
		assert.ErrorIs(t, err, fs.ErrClosed)
		assert.ErrorIs(t, f.Close(), fs.ErrClosed)
	})
}

func TestNames(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, dir string) {
		write(t, create(t, fsys, dir+"/b"), 0, "old b")
		write(t, create(t, fsys, dir+"/a"), 0, "a")
		require.NoError(t, fsys.MkdirAll(dir+"/c/d"))
		require.NoError(t, fsys.MkdirAll(dir+"/c/d"))
		names, err := fsys.ReadDir(dir)
		require.NoError(t, err)
		assert.Equal(t, []string{"a", "b", "c"}, names)

		require.NoError(t, fsys.Rename(dir+"/a", dir+"/b"))
		assert.Equal(t, "a", content(t, create(t, fsys, dir+"/b")))
		require.NoError(t, fsys.Rename(dir+"/b", dir+"/c/d/e"))
		require.NoError(t, syncOf(fsys, dir))
		require.NoError(t, syncOf(fsys, dir+"/c/d"))
		assert.ErrorIs(t, fsys.Rename(dir+"/b", dir+"/x"), fs.ErrNotExist)
		assert.Error(t, fsys.Remove(dir+"/c/d"), "not empty")
		require.NoError(t, fsys.Remove(dir+"/c/d/e"))
		assert.ErrorIs(t, fsys.Remove(dir+"/c/d/e"), fs.ErrNotExist)
		require.NoError(t, fsys.Remove(dir+"/c/d"))
		_, err = fsys.ReadDir(dir + "/c/d")
		assert.ErrorIs(t, err, fs.ErrNotExist)
		assert.ErrorIs(t, syncOf(fsys, dir+"/c/d"), fs.ErrNotExist)
	})
}

// syncOf opens and syncs a directory.
func syncOf(fsys FS, dir string) error {
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// A file that is renamed while it is open stays open, and its errors have its new name.
func TestRenameOfAnOpenFile(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, dir string) {
		write(t, create(t, fsys, dir+"/to"), 0, "old")
		f, err := fsys.OpenFile(dir+"/from", os.O_CREATE)
		require.NoError(t, err)
		write(t, f, 0, "new")
		require.NoError(t, f.Rename(dir+"/to"))
		write(t, f, 3, "er")
		require.NoError(t, f.Sync())
		assert.Equal(t, "newer", content(t, create(t, fsys, dir+"/to")))
		names, err := fsys.ReadDir(dir)
		require.NoError(t, err)
		assert.Equal(t, []string{"to"}, names)
		require.NoError(t, f.Close())
		_, err = f.WriteAt([]byte("x"), 0)
		assert.ErrorContains(t, err, dir+"/to")
		assert.Error(t, f.Rename(dir+"/missing/to"))
	})
}

func TestMkdirAllRefusesAFile(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, dir string) {
		create(t, fsys, dir+"/f")
		assert.Error(t, fsys.MkdirAll(dir+"/f"))
		assert.Error(t, fsys.MkdirAll(dir+"/f/g"))
	})
}

func TestRemovedFileLivesWhileOpen(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, dir string) {
		f := create(t, fsys, dir+"/f")
		write(t, f, 0, "hello")
		require.NoError(t, fsys.Remove(dir+"/f"))
		assert.Equal(t, "hello", content(t, f))
		write(t, create(t, fsys, dir+"/f"), 0, "another")
		assert.Equal(t, "hello", content(t, f))
	})
}

func TestLockIsHeldOnce(t *testing.T) {
	everyFS(t, func(t *testing.T, fsys FS, dir string) {
		lock, err := fsys.Lock(dir + "/lock")
		require.NoError(t, err)
		_, err = fsys.Lock(dir + "/lock")
		assert.ErrorIs(t, err, ErrLocked)
		assert.ErrorContains(t, err, "/lock")
		require.NoError(t, lock.Close())
		assert.ErrorIs(t, lock.Close(), fs.ErrClosed)
		lock, err = fsys.Lock(dir + "/lock")
		require.NoError(t, err)
		require.NoError(t, lock.Close())
		_, err = fsys.Lock(dir + "/none/lock")
		assert.ErrorIs(t, err, fs.ErrNotExist)
	})
}

// The operating system's files are the reference: any sequence of calls returns the same in memory.
func TestMemAgreesWithOS(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dir := filepath.ToSlash(t.TempDir())
			m := NewCrashable()
			require.NoError(t, m.MkdirAll(dir))
			a := walk(OS(), dir, rand.New(rand.NewPCG(seed, 1)))
			b := walk(m, dir, rand.New(rand.NewPCG(seed, 1)))
			require.Equal(t, a, b)
		})
	}
}

// walk makes 200 random calls and returns their results.
func walk(fsys FS, dir string, rng *rand.Rand) (story []string) {
	say := func(what string, args ...any) { story = append(story, fmt.Sprintf(what, args...)) }
	for range 200 {
		name := path.Join(dir, string(rune('a'+rng.IntN(4))))
		switch rng.IntN(6) {
		case 0:
			err := fsys.Rename(name, path.Join(dir, string(rune('a'+rng.IntN(4)))))
			say("rename %t", err == nil)
		case 1:
			say("remove %t", fsys.Remove(name) == nil)
		case 2:
			names, err := fsys.ReadDir(dir)
			say("readdir %v %v", names, err)
		default:
			f, err := fsys.OpenFile(name, []int{os.O_CREATE, 0, os.O_TRUNC, os.O_CREATE | os.O_EXCL}[rng.IntN(4)])
			say("open %t", err == nil)
			if err == nil {
				walkFile(f, rng, say)
			}
		}
	}
	return story
}

func walkFile(f File, rng *rand.Rand, say func(string, ...any)) {
	defer f.Close()
	for range 4 {
		off, n := rng.Int64N(3*pageSize), rng.IntN(2*pageSize)
		switch rng.IntN(5) {
		case 0:
			say("truncate %v", f.Truncate(off))
		case 1:
			say("allocate %v", f.Allocate(off))
		case 2:
			b := make([]byte, n)
			got, err := f.ReadAt(b, off)
			say("read %d %v %x", got, err, bytes.Trim(b, "\x00"))
		default:
			got, err := f.WriteAt(bytes.Repeat([]byte{byte(1 + rng.IntN(255))}, n), off)
			size, _ := f.Size()
			say("write %d %v, %d", got, err, size)
		}
	}
	say("sync %v", f.Sync())
}
