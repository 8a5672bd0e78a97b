package snap

import (
	"bytes"
	"errors"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

// Whichever bit of a snapshot rots, the damage is noticed before a wrong byte is returned, the
// snapshot is no longer the latest, and nothing is deleted (F9).
func TestRot(t *testing.T) {
	m := vfs.NewMem()
	want := state(200, 5)
	info := mustCreate(t, open(t, m), 5, want)
	for off := range fileHeaderSize + info.Size {
		flip(t, m, info, off)
		s := open(t, m)
		got, _, err := read(s, info.ID)
		require.ErrorIs(t, err, ErrCorrupt, off)
		require.True(t, bytes.HasPrefix(want, got), off)
		require.Less(t, len(got), len(want), off)
		requireDamaged(t, s, info)
		flip(t, m, info, off)
	}
	requireFiles(t, m, complete)
	requireLatest(t, open(t, m), info, want)
}

func requireDamaged(t *testing.T, s *Store, info Info) {
	t.Helper()
	_, ok := s.Latest()
	require.False(t, ok)
	require.Len(t, s.Damaged(), 1)
	require.ErrorIs(t, s.Damaged()[0], ErrCorrupt)
	require.ErrorContains(t, s.Damaged()[0], file(info, complete))
	_, _, err := s.Read(info.ID)
	require.ErrorIs(t, err, ErrCorrupt)
	_, err = s.ReadChunk(info.ID, 0)
	require.ErrorIs(t, err, ErrCorrupt)
	_, err = s.Hold(info.ID)
	require.ErrorIs(t, err, ErrCorrupt)
}

// Each way to read a snapshot notices damage on its own.
func TestRotWhileHeld(t *testing.T) {
	ways := map[string]func(*Store, Info) error{
		"read":  func(s *Store, info Info) error { _, _, err := read(s, info.ID); return err },
		"chunk": func(s *Store, info Info) error { _, err := s.ReadChunk(info.ID, 3); return err },
	}
	for name, notice := range ways {
		t.Run(name, func(t *testing.T) {
			m := vfs.NewMem()
			s := open(t, m)
			info := mustCreate(t, s, 5, state(300, 5))
			flip(t, m, info, fileHeaderSize+3*64+20)
			require.ErrorIs(t, notice(s, info), ErrCorrupt)
			requireDamaged(t, s, info)
		})
	}
}

// The checksum of a wrong chunk may match by chance, or because the disk wrote another snapshot's
// chunk there. The hash of the whole snapshot is therefore checked before the state ends.
func TestRotThatChecks(t *testing.T) {
	m, other := vfs.NewMem(), vfs.NewMem()
	info := mustCreate(t, open(t, m), 5, state(300, 5))
	stranger := mustCreate(t, open(t, other), 5, state(300, 6))
	b, err := other.ReadFile(file(stranger, complete))
	require.NoError(t, err)
	require.NoError(t, m.Damage(file(info, complete), fileHeaderSize+3*64, b[fileHeaderSize+3*64:][:64]))
	s := open(t, m)
	_, err = s.ReadChunk(info.ID, 3)
	require.NoError(t, err)
	got, _, err := read(s, info.ID)
	require.ErrorIs(t, err, ErrCorrupt)
	assert.ErrorContains(t, err, "but its ID has")
	assert.Less(t, len(got), 300)
}

// A file that was truncated, zeroed or replaced by another snapshot's is damaged.
func TestWrongFile(t *testing.T) {
	damage := map[string]func(*testing.T, *vfs.Mem, Info){
		"truncated":               func(t *testing.T, m *vfs.Mem, info Info) { resize(t, m, info, fileHeaderSize+info.Size-1) },
		"truncated in the header": func(t *testing.T, m *vfs.Mem, info Info) { resize(t, m, info, 100) },
		"longer":                  func(t *testing.T, m *vfs.Mem, info Info) { resize(t, m, info, fileHeaderSize+info.Size+1) },
		"zeros":                   func(t *testing.T, m *vfs.Mem, info Info) { resize(t, m, info, 0); resize(t, m, info, 5000) },
		"zero chunks": func(t *testing.T, m *vfs.Mem, info Info) {
			require.NoError(t, m.Damage(file(info, complete), fileHeaderSize, make([]byte, info.Size)))
		},
		"another snapshot": func(t *testing.T, m *vfs.Mem, info Info) {
			other := vfs.NewMem()
			b, err := other.ReadFile(file(mustCreate(t, open(t, other), 6, state(300, 5)), complete))
			require.NoError(t, err)
			require.NoError(t, m.Damage(file(info, complete), 0, b))
		},
	}
	for name, f := range damage {
		t.Run(name, func(t *testing.T) {
			m := vfs.NewMem()
			info := mustCreate(t, open(t, m), 5, state(300, 5))
			f(t, m, info)
			s := open(t, m)
			requireDamaged(t, s, info)
			requireFiles(t, m, complete)
		})
	}
}

func resize(t *testing.T, m *vfs.Mem, info Info, size int64) {
	t.Helper()
	f, err := m.OpenFile(file(info, complete), 0)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(size))
	require.NoError(t, f.Close())
}

// If the newest snapshot is damaged, an older one that is still there is the latest. The newest can
// be received again, which removes both old files.
func TestFallBack(t *testing.T) {
	m, donor := vfs.NewMem(), open(t, vfs.NewMem())
	s := open(t, m)
	five := mustCreate(t, s, 5, state(300, 5))
	_, err := s.Hold(five.ID) // until the restart
	require.NoError(t, err)
	nine := mustCreate(t, s, 9, state(300, 9))
	require.Equal(t, nine, mustCreate(t, donor, 9, state(300, 9)))
	flip(t, m, nine, 5)

	s = open(t, m)
	requireLatest(t, s, five, state(300, 5))
	require.Len(t, s.Damaged(), 1)
	requireFiles(t, m, complete, complete)

	_, err = transfer(s, donor, bare(nine))
	require.NoError(t, err)
	requireLatest(t, s, nine, state(300, 9))
	require.Empty(t, s.Damaged())
	requireFiles(t, m, complete)
}

// A damaged snapshot is removed once a newer one is complete.
func TestDamagedIsReplaced(t *testing.T) {
	m := vfs.NewMem()
	info := mustCreate(t, open(t, m), 5, state(300, 5))
	flip(t, m, info, 700)
	s := open(t, m)
	_, _, err := read(s, info.ID)
	require.ErrorIs(t, err, ErrCorrupt)
	same := mustCreate(t, s, 5, state(300, 6))
	requireLatest(t, s, same, state(300, 6))
	require.Empty(t, s.Damaged())
	requireFiles(t, m, complete)
}

// A range that cannot be read is damage (F11), and the error includes the cause.
func TestReadError(t *testing.T) {
	m := vfs.NewMem()
	info := mustCreate(t, open(t, m), 5, state(300, 5))
	s := open(t, m)
	m.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpRead && op.Offset == fileHeaderSize+3*64 {
			return syscall.EIO
		}
		return nil
	})
	_, _, err := read(s, info.ID)
	require.ErrorIs(t, err, ErrCorrupt)
	require.ErrorIs(t, err, syscall.EIO)
	requireDamaged(t, s, info)
}

// A lack of memory or descriptors while the store is opened is no damage.
func TestShortageIsNoDamage(t *testing.T) {
	for _, kind := range []vfs.OpKind{vfs.OpOpen, vfs.OpRead, vfs.OpSize} {
		m := vfs.NewMem()
		info := mustCreate(t, open(t, m), 5, state(300, 5))
		m.SetHook(func(op vfs.Op) error {
			if op.Kind == kind {
				return syscall.ENOMEM
			}
			return nil
		})
		_, err := Open(m, dir, small)
		require.True(t, vfs.IsShort(err), "%s: %v", kind, err)
		m.SetHook(nil)
		requireLatest(t, open(t, m), info, state(300, 5))
	}
}

// If the newest snapshot is damaged, an older one that is there only because it is in use does not take its place.
func TestAnOldSnapshotIsNotTheLatest(t *testing.T) {
	m := vfs.NewMem()
	s := open(t, m)
	five := mustCreate(t, s, 5, state(300, 5))
	release, err := s.Hold(five.ID)
	require.NoError(t, err)
	nine := mustCreate(t, s, 9, state(300, 9))
	flip(t, m, nine, fileHeaderSize+3*64+20)
	_, _, err = read(s, nine.ID)
	require.ErrorIs(t, err, ErrCorrupt)
	_, ok := s.Latest()
	require.False(t, ok)
	release()
	requireFiles(t, m, complete)
}

// A snapshot is read back before it becomes the latest, so a lost write is noticed.
func TestReadBack(t *testing.T) {
	m := vfs.NewMem()
	s := open(t, m)
	five := mustCreate(t, s, 5, state(300, 5))
	m.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpWrite && op.Offset == fileHeaderSize+3*64 {
			return vfs.ErrLie
		}
		return nil
	})
	_, err := create(s, 6, state(300, 6))
	require.ErrorIs(t, err, ErrCorrupt)
	assert.ErrorContains(t, err, "read back: ")
	m.SetHook(nil)
	requireLatest(t, s, five, state(300, 5))
	requireFiles(t, m, complete)
}

// A full disk is reported as such and leaves no file; once there is space, snapshots succeed.
func TestFullDisk(t *testing.T) {
	m, donor := vfs.NewMem(), open(t, vfs.NewMem())
	s := open(t, m)
	five := mustCreate(t, s, 5, state(300, 5))
	nine := mustCreate(t, donor, 9, state(1000, 9))
	used := m.Used()
	for _, space := range []int64{1, 64, 600, 1000, 1500} {
		m.SetCapacity(used + space)
		w, err := s.Create(ID{Epoch: 1, View: 1, Op: 9}, headerOf(9))
		if err == nil {
			_, err = w.Write(state(1000, 9))
		}
		if err == nil {
			_, err = w.Commit()
		}
		require.True(t, vfs.IsFull(err), "%v", err)
		_, err = transfer(s, donor, bare(nine))
		require.True(t, vfs.IsFull(err), "%v", err)
		require.Equal(t, used, m.Used())
		requireFiles(t, m, complete)
		requireLatest(t, s, five, state(300, 5))
	}
	m.SetCapacity(0)
	_, err := transfer(s, donor, bare(nine))
	require.NoError(t, err)
	requireLatest(t, s, nine, state(1000, 9))
}

// Whichever single operation fails, the store goes on with the old snapshot or the new one.
func TestEachOperationFails(t *testing.T) {
	broken := errors.New("broken")
	donor := open(t, vfs.NewMem())
	nine := mustCreate(t, donor, 9, state(300, 9))
	steps := map[string]func(*Store) error{
		"create":  func(s *Store) error { _, err := create(s, 9, state(300, 9)); return err },
		"receive": func(s *Store) error { _, err := transfer(s, donor, bare(nine)); return err },
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			failed := true
			for k := 0; failed; k++ {
				failed = false
				m := vfs.NewMem()
				s := open(t, m)
				five := mustCreate(t, s, 5, state(300, 5))
				n := 0
				m.SetHook(func(op vfs.Op) error {
					if n++; n == k+1 && op.Kind != vfs.OpRemove {
						failed = true
						return broken
					}
					failed = failed || n == k+1
					return nil
				})
				err := step(s)
				m.SetHook(nil)
				if err == nil {
					requireLatest(t, s, nine, state(300, 9))
				} else {
					require.ErrorIs(t, err, broken)
					requireLatest(t, s, five, state(300, 5))
				}
				ten := mustCreate(t, s, 10, state(300, 10))
				requireLatest(t, s, ten, state(300, 10))
				requireLatest(t, open(t, m), ten, state(300, 10))
			}
		})
	}
}
