package shell

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
)

// desk is a writer, or another part, alone: it keeps what the part says.
type desk struct {
	node
	log *wal.Log
	Writer
	syncs int // of the log's files
}

// at is when the writers of these tests write.
var at = time.Unix(1000, 0)

// newWriter returns a writer on an empty disk.
func newWriter(t *testing.T) *desk {
	d := &desk{node: node{disk: vfs.NewMem()}}
	var err error
	d.log, err = wal.Open(d.disk, "log", wal.Options{Identity: "group/a", SegmentSize: 4096})
	require.NoError(t, err)
	t.Cleanup(func() { d.log.Close() })
	d.Writer = Writer{log: d.log, driver: d, dir: "data"}
	d.disk.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync {
			d.syncs++
		}
		return nil
	})
	return d
}

// save returns a save of ops from to to, of 500 bytes each.
func save(seq uint64, from, to vsr.OpNumber) Write {
	s := &vsr.Save{Seq: seq}
	for op := from; op <= to; op++ {
		s.Entries = append(s.Entries, vsr.Entry{Op: op, Epoch: 1, View: 1, Body: []byte(strings.Repeat("x", 500))})
	}
	return Write{Save: s}
}

// told returns the events that the part has told the loop, and forgets them.
func (n *node) told() (events []vsr.Event) {
	for _, in := range n.inputs {
		events = append(events, in.Event)
	}
	n.inputs = nil
	return events
}

// all performs all that waits, which needs no second try.
func (d *desk) all(t *testing.T) {
	t.Helper()
	for d.Begin() {
		again, err := d.Perform(at)
		require.NoError(t, err)
		require.Zero(t, again)
	}
}

// Saves that wait share one sync, and only the last is reported.
func TestSavesShareASync(t *testing.T) {
	d := newWriter(t)
	d.Add(save(1, 1, 1))
	d.all(t)
	d.told()
	d.syncs = 0
	for i := range uint64(3) {
		d.Add(save(2+i, vsr.OpNumber(2+i), vsr.OpNumber(2+i)))
	}
	require.True(t, d.Begin())
	require.Len(t, d.InFlight(), 3)
	d.Add(save(5, 5, 5))
	require.Len(t, d.InFlight(), 3, "it comes too late")
	again, err := d.Perform(at)
	require.NoError(t, err)
	require.Zero(t, again)
	require.Equal(t, 1, d.syncs)
	require.Empty(t, d.InFlight())
	require.Equal(t, []vsr.Event{&vsr.Saved{Seq: 4}}, d.told())
	d.all(t)
	require.Equal(t, []vsr.Event{&vsr.Saved{Seq: 5}}, d.told())
	_, last := d.log.Bounds()
	require.Equal(t, uint64(5), last.Op)
}

// Nothing overtakes a compaction: what was added before it is durable before, and what was added behind it follows.
func TestSavesKeepTheirPlaceAroundACompaction(t *testing.T) {
	d := newWriter(t)
	d.Add(save(1, 1, 10))
	d.Add(save(2, 11, 20))
	d.Add(Write{Compact: &vsr.Compact{Keep: 10, Snapshot: 10}})
	d.Add(save(3, 21, 21))
	require.True(t, d.Compacts())
	d.all(t)
	require.False(t, d.Compacts())
	require.Equal(t, []vsr.Event{&vsr.Saved{Seq: 2}, &vsr.Compacted{First: 1}, &vsr.Saved{Seq: 3}}, d.told())
	d.Add(save(4, 22, 40))
	d.Add(Write{Compact: &vsr.Compact{Keep: 30, Snapshot: 30}})
	d.all(t)
	base, last := d.log.Bounds()
	require.Equal(t, []uint64{21, 40}, []uint64{base.Op, last.Op})
	require.Equal(t, []vsr.Event{&vsr.Saved{Seq: 4}, &vsr.Compacted{First: 22}}, d.told())
}

// The log below a snapshot is kept up to keepLog bytes, for those that lag.
func TestCompactionKeepsSomeLog(t *testing.T) {
	d := newWriter(t)
	d.keepLog = 1 << 20
	for i := range uint64(10) {
		d.Add(save(1+i, vsr.OpNumber(10*i+1), vsr.OpNumber(10*i+10)))
		d.all(t)
	}
	d.told()
	d.Add(Write{Compact: &vsr.Compact{Snapshot: 90}})
	d.all(t)
	require.Equal(t, []vsr.Event{&vsr.Compacted{First: 1}}, d.told())
	d.keepLog = 0
	d.Add(Write{Compact: &vsr.Compact{Snapshot: 90}})
	d.all(t)
	require.Equal(t, []vsr.Event{&vsr.Compacted{First: 91}}, d.told())
}

// F13: a full disk is reported once, and so is that it has space again, before the saves that found it.
func TestWriterOnAFullDisk(t *testing.T) {
	d := newWriter(t)
	d.Add(save(1, 1, 1))
	d.all(t)
	d.told()
	d.disk.SetCapacity(d.disk.Used())
	d.Add(save(2, 2, 20))
	require.True(t, d.Begin())
	for range 3 {
		again, err := d.Perform(at)
		require.NoError(t, err)
		require.Equal(t, FullRetry, again)
		require.Len(t, d.InFlight(), 1)
		require.True(t, d.Full())
	}
	require.Equal(t, []vsr.Event{&vsr.DiskFull{Full: true}}, d.told())
	require.True(t, d.noted("operations are not saved"))
	require.Len(t, d.notes, 1)
	require.Equal(t, hclog.Info, d.notes[0].Level, "the replica's problem is the warning")
	require.True(t, vfs.IsFull(d.notes[0].Err))
	require.NoError(t, d.Mark(at.Add(time.Hour)), "it waits for the write")
	d.disk.SetCapacity(0)
	again, err := d.Perform(at)
	require.NoError(t, err)
	require.Zero(t, again)
	require.False(t, d.Full())
	require.Equal(t, []vsr.Event{&vsr.DiskFull{Full: false}, &vsr.Saved{Seq: 2}}, d.told())
	require.True(t, d.noted("operations are saved again"))
}

// F13: on a full disk the writer makes heads, cuts and opening entries durable, though commands that wait before them are
// taken back. It goes on looking for space, which saves of heads do not show.
func TestWriterTakesBackCommands(t *testing.T) {
	d := newWriter(t)
	d.Add(save(1, 1, 1))
	d.all(t)
	d.told()
	d.disk.SetCapacity(d.disk.Used())
	d.Add(save(2, 2, 20))
	require.True(t, d.Begin())
	perform := func(full bool, want ...vsr.Event) {
		t.Helper()
		again, err := d.Perform(at)
		require.NoError(t, err)
		require.Equal(t, full, again > 0)
		require.Equal(t, want, d.told())
	}
	perform(true, &vsr.DiskFull{Full: true})
	d.Add(Write{Compact: &vsr.Compact{}})
	cut := save(3, 1, 0)
	cut.Save.From, cut.Save.Head.View = 2, 7
	d.Add(cut)
	perform(true, &vsr.Compacted{First: 1}, &vsr.Saved{Seq: 3})
	require.Equal(t, uint64(7), d.log.Head().View)
	opening := save(4, 2, 2)
	opening.Save.Entries[0].Kind = vsr.Opening
	d.Add(opening)
	perform(true, &vsr.Compacted{First: 1}, &vsr.Saved{Seq: 4})
	_, last := d.log.Bounds()
	require.Equal(t, uint64(2), last.Op)
	require.Empty(t, d.InFlight())
	another := save(5, 3, 3)
	another.Save.Entries[0].Kind = vsr.Opening
	d.Add(another)
	d.Add(save(6, 4, 20))
	perform(true, &vsr.Compacted{First: 1}, &vsr.Saved{Seq: 5})
	require.Len(t, d.InFlight(), 1, "a command behind it waits")
	d.disk.SetCapacity(0)
	perform(false, &vsr.Compacted{First: 1}, &vsr.DiskFull{Full: false}, &vsr.Saved{Seq: 6})
}

// F13: the space that saves lack may come from a compaction that waits behind them, or that is added while they wait; it
// is done again in its place.
func TestCompactionGivesTheSpace(t *testing.T) {
	for _, late := range []bool{false, true} {
		d := newWriter(t)
		for i := range uint64(10) {
			d.Add(save(1+i, vsr.OpNumber(10*i+1), vsr.OpNumber(10*i+10)))
			d.all(t)
		}
		d.told()
		d.disk.SetCapacity(d.disk.Used())
		d.Add(save(11, 101, 110))
		require.True(t, d.Begin())
		d.Add(save(12, 111, 111))
		compact := Write{Compact: &vsr.Compact{Keep: 60, Snapshot: 60}}
		if late {
			again, err := d.Perform(at)
			require.NoError(t, err)
			require.Equal(t, FullRetry, again)
			require.Equal(t, []vsr.Event{&vsr.DiskFull{Full: true}}, d.told())
		}
		d.Add(compact)
		again, err := d.Perform(at)
		require.NoError(t, err)
		require.Zero(t, again)
		if events := d.told(); late {
			require.Equal(t, []vsr.Event{&vsr.Compacted{First: 61}, &vsr.DiskFull{Full: false}, &vsr.Saved{Seq: 12}}, events)
		} else {
			require.Equal(t, []vsr.Event{&vsr.Compacted{First: 61}, &vsr.Saved{Seq: 11}}, events)
			require.Empty(t, d.notes)
		}
		d.all(t)
		if !late {
			require.Equal(t, &vsr.Saved{Seq: 12}, d.told()[0])
			continue
		}
		require.Equal(t, []vsr.Event{&vsr.Compacted{First: 61}}, d.told())
	}
}

// An error other than a full disk stops the replica: nothing is reported as durable.
func TestWriterStopsOnAnError(t *testing.T) {
	d := newWriter(t)
	broken := errors.New("the disk is broken")
	d.disk.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync {
			return broken
		}
		return nil
	})
	d.Add(save(1, 1, 1))
	require.True(t, d.Begin())
	_, err := d.Perform(at)
	require.ErrorIs(t, err, broken)
	require.Empty(t, d.told())
	d.Add(Write{Compact: &vsr.Compact{}})
	require.True(t, d.Begin())
	_, err = d.Perform(at)
	require.ErrorIs(t, err, broken)
	require.Empty(t, d.told())
}

// S5: the mark of an idle log covers all saves, and an observer learns of it. Without a log there is none.
func TestMark(t *testing.T) {
	d := newWriter(t)
	d.Add(save(1, 1, 3))
	d.all(t)
	seen := &marks{}
	d.observer = seen
	writes := 0
	d.disk.SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpWrite {
			writes++
		}
		return nil
	})
	require.Equal(t, at.Add(IdleMark), d.MarkAt())
	require.NoError(t, d.Mark(d.MarkAt().Add(-1)))
	require.Zero(t, writes, "it is not due")
	require.NoError(t, d.Mark(d.MarkAt()))
	require.Equal(t, 1, seen.marked)
	require.Positive(t, writes)
	require.Zero(t, d.MarkAt(), "nothing was written since")
	require.NoError(t, d.Mark(at.Add(time.Hour)))
	require.Equal(t, 1, seen.marked)
	require.NoError(t, (&Writer{}).Mark(at))
}

// A mark that fails stops the replica; a full disk is no error of it.
func TestMarkFails(t *testing.T) {
	d := newWriter(t)
	d.Add(save(1, 1, 3))
	d.all(t)
	d.disk.SetCapacity(d.disk.Used())
	require.NoError(t, d.Mark(d.MarkAt()))
	d.disk.SetCapacity(0)
	d.Add(save(2, 4, 4))
	d.all(t)
	broken := errors.New("the disk is broken")
	d.disk.SetHook(func(vfs.Op) error { return broken })
	require.ErrorIs(t, d.Mark(d.MarkAt()), broken)
}

type marks struct {
	Observer
	marked int
}

func (m *marks) Marked() { m.marked++ }
