package vfs

import (
	"bytes"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// outcomes crashes many clones of m and counts the results of look.
func outcomes(m *Mem, look func(m *Mem) string) map[string]int {
	seen := map[string]int{}
	for seed := range uint64(400) {
		c := m.Clone()
		c.Crash(rand.New(rand.NewPCG(seed, 2)))
		seen[look(c)]++
	}
	return seen
}

// holds returns a function that returns the content of a file, or "gone" if it does not exist.
func holds(name string) func(m *Mem) string {
	return func(m *Mem) string {
		b, err := m.ReadFile(name)
		if err != nil {
			return "gone"
		}
		return string(b)
	}
}

// durableFile returns a file whose entry and content are durable.
func durableFile(t *testing.T, m *Mem, name, s string) File {
	f := create(t, m, name)
	write(t, f, 0, s)
	require.NoError(t, f.Sync())
	require.NoError(t, m.SyncDir("."))
	return f
}

func TestCrashKeepsWhatWasSynced(t *testing.T) {
	m := NewCrashable()
	durableFile(t, m, "f", "hello")
	assert.Equal(t, map[string]int{"hello": 400}, outcomes(m, holds("f")))
}

func TestCrashTakesEntriesThatWereNotSynced(t *testing.T) {
	t.Run("created", func(t *testing.T) {
		m := NewCrashable()
		f := create(t, m, "f")
		write(t, f, 0, "hello")
		require.NoError(t, f.Sync())
		seen := outcomes(m, holds("f"))
		assert.Positive(t, seen["hello"])
		assert.Positive(t, seen["gone"])
		assert.Len(t, seen, 2)
	})
	t.Run("removed", func(t *testing.T) {
		m := NewCrashable()
		durableFile(t, m, "f", "hello")
		require.NoError(t, m.Remove("f"))
		seen := outcomes(m, holds("f"))
		assert.Positive(t, seen["hello"])
		assert.Positive(t, seen["gone"])
		require.NoError(t, m.SyncDir("."))
		assert.Equal(t, map[string]int{"gone": 400}, outcomes(m, holds("f")))
	})
	t.Run("renamed", func(t *testing.T) {
		m := NewCrashable()
		durableFile(t, m, "old", "a")
		durableFile(t, m, "new", "b")
		require.NoError(t, m.Rename("old", "new"))
		both := func(m *Mem) string { return holds("old")(m) + " " + holds("new")(m) }
		seen := outcomes(m, both)
		assert.Positive(t, seen["a b"])
		assert.Positive(t, seen["gone a"], "a rename survives completely or not at all")
		assert.Len(t, seen, 2)
	})
}

// A file that was renamed before its content was synced may exist and be empty.
func TestCrashAfterRenameBeforeSync(t *testing.T) {
	m := NewCrashable()
	write(t, create(t, m, "tmp"), 0, "hello")
	require.NoError(t, m.Rename("tmp", "f"))
	require.NoError(t, m.SyncDir("."))
	seen := outcomes(m, holds("f"))
	assert.Positive(t, seen["hello"])
	assert.Positive(t, seen[""])
	assert.Positive(t, seen["\x00\x00\x00\x00\x00"], "the size survived, the data did not")
	assert.Zero(t, seen["gone"])
}

func TestCrashTakesSectorsOneByOne(t *testing.T) {
	m := NewCrashable()
	old, updated := bytes.Repeat([]byte("o"), 3*sector), bytes.Repeat([]byte("n"), 3*sector)
	f := durableFile(t, m, "f", string(old))
	write(t, f, 0, string(updated))

	torn, patterns := 0, map[string]int{}
	for content, n := range outcomes(m, holds("f")) {
		require.Len(t, content, 3*sector)
		pattern := ""
		for piece := range slices.Chunk([]byte(content), sector) {
			switch {
			case bytes.Equal(piece, old[:sector]):
				pattern += "o"
			case bytes.Equal(piece, updated[:sector]):
				pattern += "n"
			default:
				pattern, torn = pattern+"t", torn+n
			}
		}
		patterns[pattern] += n
	}
	for _, want := range []string{"ooo", "nnn", "ono", "non", "oon", "tnn", "nto"} {
		assert.Positive(t, patterns[want], want)
	}
	assert.Greater(t, torn, 20)
	assert.Less(t, torn, 200)
}

// A write endangers synced data only in the sectors that it touches.
func TestCrashLeavesOtherSectorsAlone(t *testing.T) {
	m := NewCrashable()
	f := durableFile(t, m, "f", string(bytes.Repeat([]byte("o"), 3*sector)))
	write(t, f, sector+100, "new")
	neighbour := false
	for content := range outcomes(m, holds("f")) {
		require.Equal(t, bytes.Repeat([]byte("o"), sector), []byte(content[:sector]))
		require.Equal(t, bytes.Repeat([]byte("o"), sector), []byte(content[2*sector:]))
		require.Equal(t, bytes.Repeat([]byte("o"), 100), []byte(content[sector:sector+100]))
		neighbour = neighbour || content[sector+103:2*sector] != string(bytes.Repeat([]byte("o"), sector-103))
	}
	assert.True(t, neighbour, "a torn sector may lose the bytes after the write")
}

func TestCrashTakesBackSizes(t *testing.T) {
	m := NewCrashable()
	f := durableFile(t, m, "f", "hello")
	require.NoError(t, f.Truncate(0))
	require.NoError(t, f.Allocate(3))
	seen := outcomes(m, holds("f"))
	assert.Positive(t, seen["hello"])
	assert.Positive(t, seen[""])
	assert.Positive(t, seen["\x00\x00\x00"])
	assert.Len(t, seen, 3)
}

func TestFailedSyncIsNotMendedByTheNext(t *testing.T) {
	m := NewCrashable()
	f := durableFile(t, m, "f", "hello")
	write(t, f, 0, "HE")
	m.SetHook(failNth(OpSync, 1, os.ErrInvalid))
	require.ErrorIs(t, f.Sync(), os.ErrInvalid)
	assert.Equal(t, "HEllo", content(t, f), "the write is readable")
	require.NoError(t, f.Sync())
	write(t, f, 5, "!")
	require.NoError(t, f.Sync())
	seen := outcomes(m, holds("f"))
	assert.Positive(t, seen["hello!"])
	assert.Positive(t, seen["HEllo!"])
}

// A kill neither loses nor syncs anything: unsynced writes may still be lost with the power.
func TestKillKeepsThePageCache(t *testing.T) {
	m := NewCrashable()
	f := durableFile(t, m, "f", "hello")
	write(t, f, 0, "HELLO")
	m.Kill()
	assert.Equal(t, "HELLO", holds("f")(m))
	seen := outcomes(m, holds("f"))
	assert.Positive(t, seen["hello"])
	assert.Positive(t, seen["HELLO"])
}

func TestCrashEndsHandlesAndLocks(t *testing.T) {
	for name, crash := range map[string]func(*Mem){
		"kill":  (*Mem).Kill,
		"crash": func(m *Mem) { m.Crash(rand.New(rand.NewPCG(1, 1))) },
	} {
		t.Run(name, func(t *testing.T) {
			m := NewCrashable()
			f := durableFile(t, m, "f", "hello")
			lock, err := m.Lock("lock")
			require.NoError(t, err)
			crash(m)
			_, err = f.WriteAt([]byte("x"), 0)
			assert.ErrorIs(t, err, ErrCrashed)
			assert.ErrorIs(t, f.Sync(), ErrCrashed)
			assert.ErrorIs(t, f.Close(), ErrCrashed)

			second, err := m.Lock("lock")
			require.NoError(t, err, "the lock ended with its process")
			assert.Error(t, lock.Close())
			_, err = m.Lock("lock")
			assert.ErrorIs(t, err, ErrLocked, "the dead owner cannot release the new owner's lock")
			require.NoError(t, second.Close())
			assert.Equal(t, "hello", content(t, create(t, m, "f")))
		})
	}
}

func TestCrashIsReplayedByItsSeed(t *testing.T) {
	life := func() []string {
		m := NewCrashable()
		require.NoError(t, m.MkdirAll("/data"))
		var story []string
		for seed := range uint64(10) {
			walk(m, "/data", rand.New(rand.NewPCG(seed, 1)))
			m.Crash(rand.New(rand.NewPCG(seed, 2)))
			names, err := m.ReadDir("/data")
			require.NoError(t, err)
			for _, name := range names {
				story = append(story, name, holds("/data/"+name)(m))
			}
		}
		return story
	}
	first := life()
	assert.Greater(t, len(first), 10)
	assert.True(t, slices.Equal(first, life()))
}

func TestCrashNeedsTracking(t *testing.T) {
	assert.Panics(t, func() { NewMem().Crash(rand.New(rand.NewPCG(1, 1))) })
}
