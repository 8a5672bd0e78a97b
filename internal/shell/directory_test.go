package shell

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/wal"
)

// hands are disks from which a person may put a folder into a member's directory.
type hands struct {
	g     *group
	items []string // the member's state
	older *vfs.Mem // the member's, several starts and snapshots ago
	live  *vfs.Mem // the member's, copied while it ran for the last time
	blank *vfs.Mem // of a first start
	other *vfs.Mem // of a group that was formed apart under the same name
}

// handsOn returns a group of n members that have stopped, after several starts of member a, and the disks that a person
// mixes with a's. The log of a begins after op 1 if cut is set.
func handsOn(t *testing.T, n int, cut bool) hands {
	change := func(c *Config) {
		everyTenOps(c)
		if !cut {
			c.SegmentSize = 1 << 20
		}
	}
	g := newGroup(t, n, change)
	a := g.nodes[0]
	fill := func() {
		for first := a.state.First; len(a.user.items)%20 < 15 || cut && a.state.First == first; {
			a.must("op")
		}
	}
	fill()
	a.shell.Close()
	h := hands{g: g, older: a.disk.Clone(), blank: vfs.NewMem()}
	for range 2 {
		g.start(0)
		a.fill(20, "op ")
		h.live = a.disk.Clone()
		a.fill(20, "more ")
		fill()
		a.shell.Close()
	}
	h.items = slices.Clone(a.user.items)
	kept := a.disk
	a.disk = h.blank
	g.start(0)
	g.run() // and has saved its start number
	a.shell.Close()
	a.disk = kept
	apart := newGroup(t, n, func(c *Config) { change(c); c.Core.Rand = rand.New(rand.NewPCG(8, uint64(c.Core.Self))) })
	apart.nodes[0].fill(15, "apart ")
	apart.nodes[0].shell.Close()
	h.other = apart.nodes[0].disk
	return h
}

// F19. Head, log and snapshots that do not belong together are refused before anything is restored, with an error that
// names them and the remedy, as often as it is tried. Once the right part is back, the replica starts with all that it held.
func TestPartsThatDoNotBelongTogether(t *testing.T) {
	nothing := func(hands) *vfs.Mem { return nil }
	older := func(h hands) *vfs.Mem { return h.older }
	live := func(h hands) *vfs.Mem { return h.live }
	blank := func(h hands) *vfs.Mem { return h.blank }
	other := func(h hands) *vfs.Mem { return h.other }
	for name, c := range map[string]struct {
		members  int
		cut, rot bool
		part     string
		by       func(hands) *vfs.Mem
		says     string // a regular expression
	}{
		"no log":                       {1, false, false, LogDir, nothing, "data/log has no head, but data/snapshots holds snapshots"},
		"no log, of three":             {3, false, false, LogDir, nothing, "data/log has no head, but data/snapshots holds snapshots"},
		"no log, rotten snapshot":      {3, false, true, LogDir, nothing, "data/log has no head"},
		"a blank log":                  {3, false, false, LogDir, blank, "data/log belongs to no group, but data/snapshots holds snapshots"},
		"a blank log, rotten snapshot": {3, false, true, LogDir, blank, "data/log belongs to no group"},
		"the log of another group":     {3, false, false, LogDir, other, "but the log's head belongs to group"},
		"snapshots of another group":   {3, false, false, SnapshotDir, other, "but the log's head belongs to group"},
		"an older log":                 {3, false, false, LogDir, older, `has a session of start number 3\.\w+ of this replica, but its log's head has start number 1\.`},
		"an older log of one":          {1, false, false, LogDir, older, "is ahead of the log"},
		"a log of the last start":      {1, false, false, LogDir, live, "is ahead of the log"},
		"older snapshots":              {1, true, false, SnapshotDir, older, "and no sound snapshot reaches that far"},
		"older snapshots of three":     {3, true, false, SnapshotDir, older, "and no sound snapshot reaches that far"},
		"no snapshots":                 {1, true, false, SnapshotDir, nothing, "and no sound snapshot reaches that far"},
	} {
		t.Run(name, func(t *testing.T) {
			h := handsOn(t, c.members, c.cut)
			a := h.g.nodes[0]
			own := a.disk.Clone()
			a.disk.ReplaceDir("data/"+c.part, c.by(h))
			if c.rot {
				rotHeaders(t, a.disk)
			}
			before := snapshotFiles(t, a.disk)
			change := h.g.change
			h.g.change = func(x *Config) {
				change(x)
				a.user.restore = func(io.Reader) error { t.Error("a snapshot was restored"); return nil }
			}
			for range 2 {
				err := h.g.tryStart(0)
				require.True(t, store.IsCorrupt(err), "%v", err)
				require.Regexp(t, c.says, err)
				require.ErrorContains(t, err, "keep the directory, and leave this replica out")
				require.Equal(t, before, snapshotFiles(t, a.disk))
			}
			h.g.change = change
			a.disk.ReplaceDir("data/"+c.part, own)
			if !c.rot {
				h.g.start(0)
				a.must("after")
				require.Equal(t, h.items, a.user.items[:len(h.items)])
			}
		})
	}
}

// Snapshots that were removed or replaced do no harm if the log holds all that they hold.
func TestSnapshotsThatTheLogReplaces(t *testing.T) {
	for name, by := range map[string]func(older, other *vfs.Mem) *vfs.Mem{
		"no snapshots":               func(_, _ *vfs.Mem) *vfs.Mem { return nil },
		"older snapshots":            func(older, _ *vfs.Mem) *vfs.Mem { return older },
		"another member's snapshots": func(_, other *vfs.Mem) *vfs.Mem { return other },
	} {
		t.Run(name, func(t *testing.T) {
			g := newGroup(t, 3, func(c *Config) { everyTenOps(c); c.SegmentSize = 1 << 20 })
			a := g.nodes[0]
			a.fill(15, "op ")
			older := a.disk.Clone()
			a.fill(20, "more ")
			items := slices.Clone(a.user.items)
			a.shell.Close()
			a.disk.ReplaceDir("data/"+SnapshotDir, by(older, g.nodes[1].disk))
			g.start(0)
			a.must("after")
			require.Equal(t, items, a.user.items[:len(items)])
		})
	}
}

// rotHeaders damages the header of every snapshot on a disk.
func rotHeaders(t *testing.T, disk *vfs.Mem) {
	for name := range snapshotFiles(t, disk) {
		require.NoError(t, disk.FlipBit(name, 30, 1))
	}
}

// snapshotFiles returns the contents of the snapshots' files by name.
func snapshotFiles(t *testing.T, disk *vfs.Mem) map[string]string {
	all := map[string]string{}
	names, err := disk.ReadDir("data/" + SnapshotDir)
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err)
	}
	for _, name := range names {
		b, err := disk.ReadFile("data/" + SnapshotDir + "/" + name)
		require.NoError(t, err)
		all["data/"+SnapshotDir+"/"+name] = string(b)
	}
	return all
}

// A directory is another's to begin in unless its replica belongs to a group or has learned of one (S2).
func TestUnusedHeads(t *testing.T) {
	require.True(t, unused(wal.Head{Start: 3, Incarnation: [16]byte{1}}))
	require.False(t, unused(wal.Head{Group: [16]byte{1}}))
	require.False(t, unused(wal.Head{Known: [16]byte{1}}))
}

// S6. If no other member remembers the later start number, because all have restarted, the log does: it holds the session
// of the later process. The replica stops before it answers a call.
func TestLogHasTheSessionOfALaterProcess(t *testing.T) {
	g := newGroup(t, 3, nil)
	a := g.nodes[0]
	older := a.disk.Clone()
	for range 2 {
		g.restart(0)
		a.must("op")
	}
	for i := range g.nodes {
		g.nodes[i].shell.Close()
	}
	a.disk.ReplaceDir("data/"+LogDir, older)
	for i := range g.nodes {
		g.start(i)
	}
	c := a.propose("of the older copy")
	g.until("a stops", func() bool { return a.failed != nil })
	require.True(t, store.IsCorrupt(a.failed), "%v", a.failed)
	require.Regexp(t, `the log at op \d+ has a session of start number [23]\.\w+ of this replica, but its log's head has start number 2\.`,
		a.failed)
	require.ErrorIs(t, c.err, ErrNotApplied, "it was never sent")
}
