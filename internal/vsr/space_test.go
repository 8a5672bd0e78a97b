package vsr

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// F13: a replica that has taken back its log up to op 1, and has applied op 5, installs a snapshot of op 3: the log begins
// after it, and the state stays.
func TestASnapshotBelowTheStateIsNotRestored(t *testing.T) {
	r := member(t, 1)
	hear(r, 1, &Commit{View: 1, Commit: 1, Round: 1})
	r.applied, r.delivered, r.takenBack = 5, 5, 5
	s := Snapshot{SnapshotID: SnapshotID{Group: r.head.Group, Last: stampOf(1, 0, 3)}, Size: 1, Chunks: 1, Members: r.members}
	r.Step(r.now, &SnapshotReceived{Snapshot: s})
	out := r.Ready(r.now)
	require.NoError(t, r.Check())
	assert.Nil(t, out.Restore)
	assert.Equal(t, []OpNumber{3, 3, 5}, []OpNumber{r.log.last.Op, r.commit, r.applied})
}

// F13: a replica that takes back its log, which is durable up to op 2, lets it begin after a snapshot that holds more, be it
// a single op, and otherwise keeps the durable entries.
func TestTakingBackKeepsASnapshot(t *testing.T) {
	for op, first := range map[OpNumber]OpNumber{2: 1, 3: 4, 4: 5} {
		r := followsB(t)
		r.Step(r.now, &Receive{From: 1, Header: Header{Group: GroupID{9}, Epoch: 1, Incarnation: threeIDs[1], Start: 1},
			Message: &Prepare{View: 1, Prev: r.log.last, Commit: 5, Entries: []Entry{
				{Op: 3, View: 1, Epoch: 1, Kind: Command}, {Op: 4, View: 1, Epoch: 1, Kind: Command}, {Op: 5, View: 1, Epoch: 1, Kind: Command}}}})
		r.Ready(r.now)
		r.Step(r.now, &Applied{Op: 5})
		r.Step(r.now, &SnapshotTaken{Snapshot: Snapshot{SnapshotID: SnapshotID{Group: r.head.Group, Last: stampOf(1, 1, op)}}})
		r.Step(r.now, &DiskFull{Full: true})
		require.NoError(t, r.Check())
		assert.Equal(t, []OpNumber{first, op, op}, []OpNumber{r.log.base.Op + 1, r.log.last.Op, r.commit}, "op %d", op)
	}
}

// F13: a snapshot of its own state moves the log of a replica on that has taken its log back below it.
func TestASnapshotAboveTheLogReplacesIt(t *testing.T) {
	r := member(t, 1)
	hear(r, 1, &Commit{View: 1, Commit: 1, Round: 1})
	r.applied, r.delivered, r.takenBack = 5, 5, 5
	s := Snapshot{SnapshotID: SnapshotID{Group: r.head.Group, Last: stampOf(1, 1, 5)}, Size: 1, Chunks: 1, Members: r.members}
	r.Step(r.now, &SnapshotTaken{Snapshot: s})
	out := r.Ready(r.now)
	require.NoError(t, r.Check())
	assert.Equal(t, &s.Last, out.Save.Base)
	assert.Equal(t, []OpNumber{5, 5}, []OpNumber{r.log.last.Op, r.commit})
}

// F13: the saves of a log that ends with op 3, merged as far as they add no command.
func TestSavableWhenFull(t *testing.T) {
	entry := func(op OpNumber, kind Kind) Entry { return Entry{Op: op, Epoch: 1, View: 1, Kind: kind} }
	opening := entry(4, Opening)
	for name, x := range map[string]struct {
		saves []*Save
		want  *Save
		n     int
	}{
		"nothing":        {nil, nil, 0},
		"a head":         {[]*Save{{Seq: 1, Head: Head{View: 2}}}, &Save{Seq: 1, Head: Head{View: 2}}, 1},
		"a command":      {[]*Save{{Seq: 1, Entries: []Entry{entry(4, Command)}}}, nil, 0},
		"an opening":     {[]*Save{{Seq: 1, Entries: []Entry{opening}}, {Seq: 2, Entries: []Entry{entry(5, Command)}}}, &Save{Seq: 1, Entries: []Entry{opening}}, 1},
		"taken back":     {[]*Save{{Seq: 1, Entries: []Entry{entry(4, Command)}}, {Seq: 2, From: 4}}, &Save{Seq: 2}, 2},
		"a part of it":   {[]*Save{{Seq: 1, Entries: []Entry{opening, entry(5, Command)}}, {Seq: 2, From: 5}}, &Save{Seq: 2, Entries: []Entry{opening}}, 2},
		"durable ones":   {[]*Save{{Seq: 1, From: 3, Entries: []Entry{entry(3, Command)}}, {Seq: 2, From: 3}}, &Save{Seq: 2, From: 3}, 2},
		"for a snapshot": {[]*Save{{Seq: 1, Entries: []Entry{entry(4, Command)}}, {Seq: 2, Base: &Viewstamp{1, 1, 9}}}, &Save{Seq: 2, Base: &Viewstamp{1, 1, 9}}, 2},
	} {
		got, n := SavableWhenFull(3, x.saves)
		assert.Equal(t, x.n, n, name)
		if got != nil && len(got.Entries) == 0 {
			got.Entries = nil
		}
		assert.Equal(t, x.want, got, name)
	}
}
