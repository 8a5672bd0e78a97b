package wal

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

func TestFreshDirectory(t *testing.T) {
	l := open(t, vfs.NewMem())
	assert.Zero(t, l.Head())
	base, last := l.Bounds()
	assert.Zero(t, base)
	assert.Zero(t, last)
	assert.Empty(t, l.Stamps())
	records, err := l.Read(1, 10, 100)
	require.NoError(t, err)
	assert.Empty(t, records)
	require.NoError(t, l.Save(nil))
	require.NoError(t, l.Mark())
}

// A log on a real disk survives saves, cuts, snapshots and reopening.
func TestLogOverTheSystem(t *testing.T) {
	place := filepath.ToSlash(t.TempDir()) + "/new/wal"
	s := script{rng: newRNG(7, 1)}
	m := model{}
	for range 5 {
		l, err := Open(vfs.OS(), place, small)
		require.NoError(t, err)
		require.NoError(t, m.compare(l, s.safe))
		for range 30 {
			m = m.keepTo(t, l, s.safe, s.save(m))
		}
		s.safe += s.rng.Uint64N(m.last().Op - s.safe + 1)
		_, err = l.Compact(s.safe, s.safe, 0)
		require.NoError(t, err)
		require.NoError(t, m.compare(l, s.safe))
		require.NoError(t, l.Close())
	}
}

func (m model) keepTo(t *testing.T, l *Log, limit uint64, s Save) model {
	t.Helper()
	require.NoError(t, l.Save([]Save{s}))
	m = m.apply(s)
	require.NoError(t, m.compare(l, limit))
	return m
}

func TestSavesThatDoNotFollowOnAreRefused(t *testing.T) {
	l := open(t, vfs.NewMem())
	m := model{}.keep(t, l, Save{Base: &Stamp{1, 1, 10}}, entries(1, 11, 15))
	with := func(s Save, change func(*Save)) Save { change(&s); return s }
	for name, bad := range map[string][]Save{
		"a gap":              {entries(1, 17, 18)},
		"a step back":        {entries(1, 15, 18)},
		"a gap within":       {entries(1, 16, 16), entries(1, 18, 18)},
		"from above the end": {with(entries(1, 17, 18), func(s *Save) { s.From = 17 })},
		"from in the base":   {with(entries(1, 10, 18), func(s *Save) { s.From = 10 })},
		"not after the base": {with(entries(1, 16, 16), func(s *Save) { s.Base = &Stamp{1, 1, 20} })},
		"base and from":      {{Base: &Stamp{1, 1, 20}, From: 20}},
	} {
		assert.Error(t, l.Save(bad), name)
		assert.NoError(t, m.compare(l, 0), name)
	}
	m.keep(t, l, entries(1, 16, 18))
}

// The cuts and bases of one batch build on one another before any of them is on disk.
func TestCutsWithinOneBatch(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	m := model{}.keep(t, l, entries(1, 1, 10))
	cut := func(view, from, to uint64) Save { s := entries(view, from, to); s.From = from; return s }
	m = m.keep(t, l, cut(2, 8, 12), cut(3, 11, 11), cut(4, 10, 9), cut(5, 5, 6))
	base := entries(6, 21, 25)
	base.Base = &Stamp{1, 6, 20}
	m = m.keep(t, l, base, cut(7, 21, 21), cut(8, 22, 23))
	require.NoError(t, l.Close())
	require.NoError(t, m.compare(open(t, fs), 0))
}

func TestReadIsLimitedByBytes(t *testing.T) {
	l := open(t, vfs.NewMem())
	m := model{}.keep(t, l, entries(1, 1, 50)).keep(t, l, entries(1, 51, 200))
	size := len(m.records[0].Data)
	for _, c := range []struct{ from, to, bytes, want int }{
		{1, 200, 0, 1}, {1, 200, 2 * size, 2}, {1, 200, 2*size + 1, 2}, {1, 3, 1 << 20, 3}, {45, 60, 1 << 20, 16},
		{1, 1000, 1 << 20, 200}, {201, 300, 1, 0}, {5, 4, 1, 0},
	} {
		got, err := l.Read(uint64(c.from), uint64(c.to), c.bytes)
		require.NoError(t, err)
		require.Len(t, got, c.want, "%v", c)
		if c.want > 0 {
			assert.Equal(t, m.records[c.from-1:][:c.want], got)
		}
	}
}

func TestReadsRunBesideSavesAndCompact(t *testing.T) {
	l := open(t, vfs.NewMem())
	m := model{}.keep(t, l, entries(1, 1, 20))
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				base, last := l.Bounds()
				records, err := l.Read(base.Op+1, last.Op, 1<<20)
				if err != nil {
					assert.ErrorIs(t, err, ErrCompacted)
				} else {
					assert.Len(t, records, int(last.Op-base.Op))
				}
				l.Head()
				l.Stamps()
			}
		})
	}
	for op := uint64(21); op < 600; op += 10 {
		require.NoError(t, l.Save([]Save{entries(1, op, op+9)}))
		m = m.apply(entries(1, op, op+9))
		_, err := l.Compact(op-20, op, 0)
		require.NoError(t, err)
	}
	close(stop)
	wg.Wait()
	require.NoError(t, m.compare(l, 600))
}

func TestCompactDropsWholeSegmentsBelow(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	var m model
	for i := range uint64(40) {
		m = m.keep(t, l, entries(1, 10*i+1, 10*i+10))
	}
	ends := []uint64{0} // last op of each segment
	for _, s := range l.segments {
		ends = append(ends, l.state.lastIn(s.number))
	}
	require.Greater(t, len(ends), 5)
	compact := func(keep, snapshot uint64, maxBytes int64) uint64 {
		first, err := l.Compact(keep, snapshot, maxBytes)
		require.NoError(t, err)
		require.NoError(t, m.compare(l, snapshot))
		return first
	}
	assert.EqualValues(t, 1, compact(0, 0, 0))
	assert.EqualValues(t, 1, compact(400, 0, 0), "nothing above the snapshot")
	assert.EqualValues(t, 1, compact(ends[1]-1, ends[1], 1<<30))
	assert.EqualValues(t, ends[1]+1, compact(ends[1], ends[1], 1<<30))
	_, err := l.Read(ends[1], 400, 1)
	assert.ErrorIs(t, err, ErrCompacted)
	assert.EqualValues(t, ends[1]+1, compact(0, ends[4]+1, 3*minSegmentSize), "the segments up to the snapshot fit the limit in bytes")
	assert.EqualValues(t, ends[3]+1, compact(0, ends[4]+1, minSegmentSize), "the limit in bytes overrides keep")
	names, err := fs.ReadDir(dir)
	require.NoError(t, err)
	assert.Equal(t, []string{segmentName(4), segmentName(5)}, names[:2])
	assert.EqualValues(t, ends[len(ends)-2]+1, compact(400, 400, 0), "the last segment stays")
	head := m.head
	require.NoError(t, l.Close())
	l = open(t, fs)
	require.NoError(t, m.compare(l, 400))
	assert.Equal(t, head, l.Head())
}

// The limit of Compact counts what the files take: the segments were trimmed to their batches.
func TestCompactCountsTheSizesOfFiles(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	var m model
	for i := range uint64(40) {
		m = m.keep(t, l, entries(1, 10*i+1, 10*i+10))
	}
	take := int64(0)
	for _, s := range l.segments[:len(l.segments)-1] {
		b, err := fs.ReadFile(s.name)
		require.NoError(t, err)
		take += int64(len(b))
	}
	require.Less(t, take, int64(len(l.segments)-1)*minSegmentSize)
	first, err := l.Compact(0, 400, take)
	require.NoError(t, err)
	assert.EqualValues(t, 1, first)
	first, err = l.Compact(0, 400, take-1)
	require.NoError(t, err)
	assert.Greater(t, first, uint64(1))
}

// The old log is removed entirely once a snapshot has replaced it.
func TestCompactAfterBase(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	var m model
	for i := range uint64(20) {
		m = m.keep(t, l, entries(1, 10*i+1, 10*i+10))
	}
	s := entries(1, 1001, 1100)
	s.Base = &Stamp{1, 1, 1000}
	m = m.keep(t, l, s)
	first, err := l.Compact(0, 1000, 1<<30)
	require.NoError(t, err)
	assert.EqualValues(t, 1001, first)
	assert.Len(t, l.segments, 1)
	require.NoError(t, l.Close())
	require.NoError(t, m.compare(open(t, fs), 0))
}

// A segment that cannot be removed is removed by the next Open; until then the log stays alive.
func TestCompactThatCannotRemove(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	var m model
	for i := range uint64(20) {
		m = m.keep(t, l, entries(1, 10*i+1, 10*i+10))
	}
	fs.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpRemove {
			return os.ErrPermission
		}
		return nil
	})
	first, err := l.Compact(150, 150, 0)
	assert.ErrorIs(t, err, os.ErrPermission)
	assert.Greater(t, first, uint64(100))
	fs.SetHook(nil)
	m = m.keepTo(t, l, 150, entries(1, 201, 202))
	require.NoError(t, l.Close())
	l = open(t, fs)
	require.NoError(t, m.compare(l, 150))
	names, err := fs.ReadDir(dir)
	require.NoError(t, err)
	assert.Equal(t, segmentName(l.segments[0].number), names[0])
}

func TestForeignDirectoryIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	m := model{}.keep(t, open(t, fs), entries(1, 1, 3))
	fs.Kill()
	before := image(t, fs)
	_, err := Open(fs, dir, Options{Identity: "group/b"})
	assert.ErrorIs(t, err, ErrForeign)
	assert.ErrorContains(t, err, `"group/a"`)
	assert.ErrorContains(t, err, `"group/b"`)
	assert.Equal(t, before, image(t, fs))
	require.NoError(t, m.compare(open(t, fs), 0))
	_, err = Open(fs, "/other", Options{Identity: strings.Repeat("x", 257)})
	assert.ErrorContains(t, err, "257")
}

// F17: another replica begins anew where nothing is stored, and nowhere else.
func TestUnusedLogIsBegunAnew(t *testing.T) {
	for name, c := range map[string]struct {
		saves []Save
		rot   bool
		taken bool
	}{
		"nothing":         {nil, false, true},
		"a start":         {[]Save{{Head: Head{Start: 1, Incarnation: [16]byte{7}}}}, false, true},
		"a group":         {[]Save{{Head: Head{Start: 1}}, {Head: Head{Start: 1, Group: [16]byte{1}}}}, false, false},
		"an entry":        {[]Save{{Head: Head{Start: 1}, Records: []Record{{Op: 1, Epoch: 1}}}}, false, false},
		"a damaged start": {[]Save{{Head: Head{Start: 1}}}, true, false},
	} {
		fs := vfs.NewMem()
		l := open(t, fs)
		require.NoError(t, l.Save(c.saves))
		require.NoError(t, l.Close())
		if c.rot {
			require.NoError(t, fs.FlipBit(path.Join(dir, HeadName), 50, 1))
		}
		before := image(t, fs)
		other := Options{Identity: "group/b"}
		_, err := Open(fs, dir, other)
		require.ErrorIs(t, err, ErrForeign, name)
		other.Unused = func(h Head) bool { return h.Group == [16]byte{} }
		must := other
		must.MustExist = true
		_, err = Open(fs, dir, must)
		require.ErrorIs(t, err, ErrForeign, name)
		require.Equal(t, before, image(t, fs))
		l, err = Open(fs, dir, other)
		if !c.taken {
			require.ErrorIs(t, err, ErrForeign, name)
			require.Equal(t, before, image(t, fs))
			continue
		}
		require.NoError(t, err, name)
		require.Zero(t, l.Head())
		require.NoError(t, l.Close())
		_, err = Open(fs, dir, small)
		require.ErrorIs(t, err, ErrForeign, name)
	}
}

// A log that must exist is not begun.
func TestMissingLogIsNotBegun(t *testing.T) {
	fs := vfs.NewMem()
	must := small
	must.MustExist = true
	for range 2 {
		_, err := Open(fs, dir, must)
		require.ErrorIs(t, err, ErrMissing)
		require.ErrorContains(t, err, dir)
	}
	model{}.keep(t, open(t, fs), entries(1, 1, 3))
	fs.Kill()
	l, err := Open(fs, dir, must)
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

// A file of another version is reported as such and not as damage, and the directory stays as it is.
func TestAnotherVersionIsRefused(t *testing.T) {
	for _, name := range []string{HeadName, segmentName(1)} {
		for _, other := range []byte{version - 1, version + 1} {
			fs := vfs.NewMem()
			model{}.keep(t, open(t, fs), entries(1, 1, 3))
			fs.Kill()
			b, err := fs.ReadFile(path.Join(dir, name))
			require.NoError(t, err)
			b[8] = other
			seal(b[:sector])
			require.NoError(t, fs.Damage(path.Join(dir, name), 0, b[:sector]))
			before := image(t, fs)
			_, err = Open(fs, dir, small)
			assert.ErrorIs(t, err, ErrVersion, name)
			assert.ErrorContains(t, err, fmt.Sprintf("has format %d, but this program supports format %d", other, version))
			assert.NotErrorIs(t, err, ErrCorrupt, name)
			assert.Equal(t, before, image(t, fs))
		}
	}
}

func TestClosedLog(t *testing.T) {
	l := open(t, vfs.NewMem())
	model{}.keep(t, l, entries(1, 1, 3))
	require.NoError(t, l.Close())
	require.NoError(t, l.Close())
	assert.ErrorIs(t, l.Save([]Save{entries(1, 4, 4)}), ErrClosed)
	assert.ErrorIs(t, l.Mark(), ErrClosed)
	_, err := l.Compact(1, 1, 1)
	assert.ErrorIs(t, err, ErrClosed)
	_, err = l.Read(1, 1, 1)
	assert.ErrorIs(t, err, ErrClosed)
}

// The memory in which a large batch was laid out is not kept for the next.
func TestTheMemoryOfALargeBatchIsReleased(t *testing.T) {
	l := open(t, vfs.NewMem())
	large := entries(1, 1, 1)
	large.Records[0].Data = make([]byte, 2*keepBatch)
	m := model{}.keep(t, l, large)
	assert.LessOrEqual(t, cap(l.buf), keepBatch)
	m.keep(t, l, entries(1, 2, 2))
}

// Reopening an idle log writes no record again and takes no space.
func TestReopeningTakesNoSpace(t *testing.T) {
	fs := vfs.NewMem()
	l := open(t, fs)
	m := model{}.keep(t, l, entries(1, 1, 3))
	require.NoError(t, l.Close())
	for range 5 {
		l = open(t, fs)
		require.NoError(t, m.compare(l, 0))
		require.NoError(t, l.Close())
	}
	assert.EqualValues(t, headSize+2*sector+minSegmentSize, fs.Used())
}

const otherVariable = "SMR_TEST_WAL"

// TestMain lets the test binary act as a second process that uses a directory until its input ends.
func TestMain(m *testing.M) {
	place := os.Getenv(otherVariable)
	if place == "" {
		os.Exit(m.Run())
	}
	l, err := Open(vfs.OS(), place, small)
	if err == nil {
		err = l.Save([]Save{entries(1, 1, 3)})
	}
	fmt.Println("saved", err)
	bufio.NewReader(os.Stdin).ReadString('\n')
}

// F18: a second process is refused. Once the first one is killed, the log opens with its save.
func TestSecondProcessIsRefused(t *testing.T) {
	place := filepath.ToSlash(t.TempDir())
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), otherVariable+"="+place)
	in, err := other.StdinPipe()
	require.NoError(t, err)
	defer in.Close()
	out, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "saved <nil>\n", line)

	_, err = Open(vfs.OS(), place, small)
	assert.ErrorIs(t, err, vfs.ErrLocked)
	require.NoError(t, other.Process.Kill())
	other.Wait()
	l, err := Open(vfs.OS(), place, small)
	require.NoError(t, err)
	require.NoError(t, model{}.apply(entries(1, 1, 3)).compare(l, 0))
	require.NoError(t, l.Close())
}
