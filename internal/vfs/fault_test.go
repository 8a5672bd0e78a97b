package vfs

import (
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// failNth returns a hook that makes the n-th operation of a kind fail.
func failNth(kind OpKind, n int, err error) func(Op) error {
	return func(op Op) error {
		if op.Kind == kind {
			if n--; n == 0 {
				return err
			}
		}
		return nil
	}
}

func TestHookSeesEveryOperation(t *testing.T) {
	m := NewMem()
	var seen []Op
	m.SetHook(func(op Op) error { seen = append(seen, op); return nil })
	require.NoError(t, m.MkdirAll("d"))
	f := create(t, m, "d/f")
	write(t, f, 7, "hello")
	content(t, f)
	require.NoError(t, f.Allocate(20))
	require.NoError(t, f.Truncate(3))
	require.NoError(t, f.Sync())
	require.NoError(t, m.Rename("d/f", "d/g"))
	require.NoError(t, m.Remove("d/g"))
	require.NoError(t, m.SyncDir("d"))
	m.ReadDir("d")
	m.Lock("d/lock")
	assert.Equal(t, []Op{
		{Kind: OpMkdir, Name: "d"},
		{Kind: OpOpen, Name: "d/f"},
		{Kind: OpWrite, Name: "d/f", Offset: 7, Length: 5},
		{Kind: OpSize, Name: "d/f"},
		{Kind: OpRead, Name: "d/f", Length: 12},
		{Kind: OpAllocate, Name: "d/f", Length: 20},
		{Kind: OpTruncate, Name: "d/f", Length: 3},
		{Kind: OpSync, Name: "d/f"},
		{Kind: OpRename, Name: "d/f", To: "d/g"},
		{Kind: OpRemove, Name: "d/g"},
		{Kind: OpSyncDir, Name: "d"},
		{Kind: OpReadDir, Name: "d"},
		{Kind: OpLock, Name: "d/lock"},
	}, seen)
}

func TestHookFailsOperationsThatThenDoNothing(t *testing.T) {
	m := NewCrashable()
	f := durableFile(t, m, "f", "hello")
	broken := errors.New("broken")
	m.SetHook(func(Op) error { return broken })
	_, err := f.WriteAt([]byte("x"), 0)
	assert.ErrorIs(t, err, broken)
	assert.ErrorContains(t, err, "f")
	_, err = f.ReadAt(make([]byte, 1), 0)
	assert.ErrorIs(t, err, broken)
	_, err = f.Size()
	assert.ErrorIs(t, err, broken)
	_, err = m.OpenFile("g", os.O_CREATE)
	assert.ErrorIs(t, err, broken)
	_, err = m.ReadDir(".")
	assert.ErrorIs(t, err, broken)
	_, err = m.Lock("lock")
	assert.ErrorIs(t, err, broken)
	for _, err := range []error{
		f.Truncate(0), f.Allocate(9), f.Sync(), m.Rename("f", "g"), m.Remove("f"), m.SyncDir("."), m.MkdirAll("d"),
	} {
		assert.ErrorIs(t, err, broken)
	}
	m.SetHook(nil)
	assert.Equal(t, "hello", content(t, f))
	names, err := m.ReadDir(".")
	require.NoError(t, err)
	assert.Equal(t, []string{"f"}, names)
}

func TestHookLies(t *testing.T) {
	m := NewCrashable()
	f := durableFile(t, m, "f", "hello")
	m.SetHook(func(op Op) error {
		if op.Kind == OpSync || op.Kind == OpSyncDir || op.Kind == OpRead {
			return ErrLie
		}
		return nil
	})
	write(t, f, 0, "HELLO")
	create(t, m, "g")
	require.NoError(t, f.Sync())
	require.NoError(t, m.SyncDir("."))
	_, err := f.ReadAt(make([]byte, 1), 0)
	assert.ErrorIs(t, err, ErrLie, "a read cannot lie")
	assert.Positive(t, outcomes(m, holds("f"))["hello"])
	assert.Positive(t, outcomes(m, holds("g"))["gone"])

	m.SetHook(failNth(OpWrite, 1, ErrLie))
	write(t, f, 0, "lost!")
	assert.Equal(t, "HELLO", content(t, f))
}

func TestCapacity(t *testing.T) {
	m := NewMem()
	m.SetCapacity(100)
	f, g := create(t, m, "f"), create(t, m, "g")
	require.NoError(t, f.Allocate(60))
	err := g.Allocate(41)
	assert.True(t, IsFull(err), err)
	assert.False(t, IsFull(ErrLocked))
	write(t, f, 0, "within the allocated space")
	_, err = g.WriteAt(make([]byte, 41), 0)
	assert.True(t, IsFull(err), err)
	_, err = g.WriteAt(make([]byte, 1), 40)
	assert.True(t, IsFull(err), "a hole counts too")
	require.NoError(t, g.Truncate(40))
	assert.EqualValues(t, 100, m.Used())

	require.NoError(t, m.Remove("f"))
	assert.EqualValues(t, 100, m.Used(), "still open")
	require.NoError(t, f.Close())
	assert.EqualValues(t, 40, m.Used())
	require.NoError(t, m.Rename("g", "h"))
	require.NoError(t, g.Truncate(10))
	assert.EqualValues(t, 10, m.Used())
	m.Kill()
	assert.EqualValues(t, 10, m.Used())
}

func TestIsFullKnowsQuotas(t *testing.T) {
	assert.True(t, IsFull(&os.PathError{Err: syscall.EDQUOT}))
}

func TestDamageStays(t *testing.T) {
	m := NewCrashable()
	f := durableFile(t, m, "f", "hello")
	require.NoError(t, m.FlipBit("f", 1, 2))
	require.NoError(t, m.Damage("f", 3, []byte("LO")))
	assert.Equal(t, "halLO", content(t, f))
	assert.Equal(t, map[string]int{"halLO": 400}, outcomes(m, holds("f")))
	assert.Error(t, m.FlipBit("f", 5, 0))
	assert.Error(t, m.FlipBit("g", 0, 0))
	assert.Error(t, m.Damage("f", -1, []byte("x")))
	_, err := m.ReadFile("g")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// A directory that was replaced holds the other's files, also after a crash, and the other keeps its own.
func TestReplacedDirectory(t *testing.T) {
	m, other := NewCrashable(), NewCrashable()
	durableFile(t, m, "f", "hello")
	create(t, m, "g") // not durable
	write(t, durableFile(t, other, "f", "HELLO"), 0, "x")
	m.ReplaceDir(".", other)
	write(t, create(t, other, "f"), 1, "yyyy")
	assert.Equal(t, map[string]int{"xELLO": 400}, outcomes(m, holds("f")))
	names, err := m.ReadDir(".")
	require.NoError(t, err)
	assert.Equal(t, []string{"f"}, names)
	require.NoError(t, m.MkdirAll("d"))
	m.ReplaceDir("d", nil)
	_, err = m.ReadDir("d")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestCloneIsApart(t *testing.T) {
	m := NewCrashable()
	f := durableFile(t, m, "f", "hello")
	write(t, f, 0, "H")
	c := m.Clone()
	write(t, f, 0, "xxxxx")
	write(t, create(t, c, "f"), 4, "O")
	assert.Equal(t, "xxxxx", holds("f")(m))
	assert.Equal(t, "HellO", holds("f")(c))
	c.Crash(rand.New(rand.NewPCG(1, 1)))
	assert.Equal(t, "xxxxx", content(t, f), "handles of the original live on")
}

func TestMemRunsConcurrently(t *testing.T) {
	m := NewMem()
	shared := create(t, m, "shared")
	write(t, shared, 0, "hello")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			name := string(rune('a' + i))
			for range 50 {
				f := create(t, m, name)
				f.WriteAt(make([]byte, 1000), 500)
				shared.ReadAt(make([]byte, 5), 0)
				m.ReadDir(".")
				f.Sync()
				f.Close()
				m.Remove(name)
			}
		})
	}
	for range 100 {
		write(t, shared, 0, "hello")
	}
	wg.Wait()
	assert.EqualValues(t, 5, m.Used())
}
