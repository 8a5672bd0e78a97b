package judge

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

// echo is a reference whose state is the number of commands that it has executed.
type echo struct{ executed uint64 }

func (r *echo) Commit(e *vsr.Entry, executed bool) ([]byte, uint64, error) {
	if executed {
		r.executed++
	}
	return e.Body, r.executed, nil
}

// group is a judge that is told of three members.
type group struct {
	t *testing.T
	*Judge
	seq       [3]uint64
	takenBack vsr.OpNumber
}

var incarnation = vsr.Incarnation{1}

// newGroup returns a group of which every member has started.
func newGroup(t *testing.T) *group {
	g := &group{t: t, Judge: New(Config{Members: vsr.NewMembership([]vsr.Member{{ID: "a"}, {ID: "b"}, {ID: "c"}}),
		Reference: &echo{}, Distinct: true})}
	for i := range 3 {
		require.NoError(t, g.Opened(i, Opened{}))
		require.NoError(t, g.Started(i, vsr.State{Primary: -1}))
	}
	return g
}

// saves has a member issue a save of view 0 or above, and makes it durable.
func (g *group) saves(i int, view vsr.View, entries ...vsr.Entry) {
	g.t.Helper()
	require.NoError(g.t, g.issues(i, view, entries...))
	require.NoError(g.t, g.Saved(i, g.seq[i]))
}

func (g *group) issues(i int, view vsr.View, entries ...vsr.Entry) error {
	g.seq[i]++
	return g.Issued(i, &vsr.Save{Seq: g.seq[i], Head: head(view), Entries: entries})
}

// turns ends a member's turn with what it holds in memory, altered.
func (g *group) turns(i int, alter func(s *vsr.State)) error {
	m := g.members[i].memory
	s := vsr.State{Primary: -1, Head: m.Head, Last: m.Last, First: m.Base.Op + 1, Commit: g.members[i].seen.Commit,
		Applied: g.members[i].applied}
	alter(&s)
	return g.Turned(i, Turn{State: s, TakenBack: g.takenBack})
}

func head(view vsr.View) vsr.Head {
	return vsr.Head{Group: vsr.GroupID{1}, Epoch: 1, Incarnation: incarnation, Start: 1, View: view}
}

func stamp(view vsr.View, op vsr.OpNumber) vsr.Viewstamp {
	return vsr.Viewstamp{Epoch: 1, View: view, Op: op}
}

func entry(view vsr.View, op vsr.OpNumber) vsr.Entry {
	return vsr.Entry{Op: op, View: view, Epoch: 1, Kind: vsr.Opening}
}

// opens is the entry that opens the session of member a's first process.
func opens(op vsr.OpNumber) vsr.Entry {
	body := append(binary.AppendUvarint(nil, 1), 'a')
	body = binary.AppendUvarint(append(body, incarnation[:]...), 1)
	return vsr.Entry{Op: op, Epoch: 1, Kind: vsr.OpenSession, Body: body}
}

// command is a command of the session that op 2 opens.
func command(op vsr.OpNumber, number uint64, body string) vsr.Entry {
	return vsr.Entry{Op: op, Epoch: 1, Kind: vsr.Command, Session: 2, Request: number, Floor: 1, Body: []byte(body)}
}

// committed is a group of which all members have saved a formation, a session and two commands, and know them
// committed.
func committed(t *testing.T) *group {
	g := newGroup(t)
	for i := range 3 {
		g.saves(i, 0, vsr.Entry{Op: 1, Epoch: 1, Kind: vsr.Formation}, opens(2), command(3, 1, "x"), command(4, 2, "y"))
	}
	for i := range 3 {
		require.NoError(t, g.Knows(i, 4))
	}
	return g
}

func violated(t *testing.T, rule string, err error, text ...any) {
	t.Helper()
	require.Error(t, err, text...)
	assert.Equal(t, rule, Of(err).Rule, "%v", err)
}

// twoLogs has members with 1@0 2@0 3@0, and one whose log goes on from 1@0 with 2@1 3@1; all of it is issued and not
// durable.
func twoLogs(t *testing.T) *group {
	g := newGroup(t)
	require.NoError(t, g.issues(0, 0, entry(0, 1), entry(0, 2), entry(0, 3)))
	require.NoError(t, g.issues(1, 0, entry(0, 1)))
	require.NoError(t, g.issues(1, 1, entry(1, 2), entry(1, 3)))
	return g
}

// The last viewstamp of a log tells what is in it.
func TestLedgerKnowsLogsByTheirEnds(t *testing.T) {
	l := twoLogs(t).ledger
	assert.Equal(t, stamp(0, 1), l.at(stamp(1, 3), 1))
	assert.Equal(t, stamp(1, 2), l.at(stamp(1, 3), 2))
	assert.True(t, l.holds(stamp(0, 3), stamp(0, 2)))
	assert.False(t, l.holds(stamp(1, 3), stamp(0, 2)))
	assert.False(t, l.holds(stamp(0, 1), stamp(0, 2)))
}

// 11.4, 11.2: another entry at a known viewstamp, or another history, is noticed.
func TestForksAreNoticed(t *testing.T) {
	g := twoLogs(t)
	other := entry(0, 2)
	other.Body = []byte("x")
	require.NoError(t, g.issues(2, 0, entry(0, 1)))
	violated(t, "11.4", g.issues(2, 0, other))
	violated(t, "11.4", g.issues(1, 0, entry(0, 4)), "a view before that of the entry before")
	_, err := g.ledger.commit(stamp(0, 2), 0)
	require.NoError(t, err)
	violated(t, "11.2", g.Knows(1, 3))
}

// 11.3: with (Qr, Qv) = (2, 2), one disk of three is not enough for what is committed.
func TestQuorumsThatCouldLoseAnOp(t *testing.T) {
	g := twoLogs(t)
	_, err := g.ledger.commit(stamp(0, 2), 0)
	require.NoError(t, err)
	for i, last := range []vsr.Viewstamp{stamp(0, 3), stamp(0, 1), stamp(0, 1)} {
		g.members[i].disk.Last = last
	}
	violated(t, "11.3", g.checkQuorums(), "b and c could go on without op 2")
	g.members[1].disk.Last = stamp(0, 2)
	assert.NoError(t, g.checkQuorums())
	g.members[2].disk.Last = stamp(1, 3)
	violated(t, "11.3", g.checkQuorums(), "c's log is better and has another op 2")
	g.Lost(2)
	assert.NoError(t, g.checkQuorums(), "c has no log any more")
}

// N4: a disk whose memory was lost counts for what it held then, and not for what was committed later.
func TestLostDisksHoldWhatTheyHeld(t *testing.T) {
	g := twoLogs(t)
	for i, last := range []vsr.Viewstamp{stamp(0, 3), stamp(0, 2), stamp(0, 2)} {
		g.members[i].disk.Last = last
	}
	g.Wiped(2)
	assert.NoError(t, g.checkHolders(stamp(0, 2)))
	violated(t, "N4", g.checkHolders(stamp(0, 3)), "only a ever held it")
}

// S5: of the saves that were pending in a crash, a first part may be there, and nothing else.
func TestDiskAfterACrash(t *testing.T) {
	opened := func(view vsr.View, last vsr.Viewstamp) Opened {
		return Opened{Durable: vsr.Durable{Head: head(view), Last: last}}
	}
	crashed := func() *group {
		g := twoLogs(t)
		require.NoError(t, g.Saved(0, 1))
		for _, s := range []*vsr.Save{
			{Seq: 2, Head: head(1), From: 2, Entries: []vsr.Entry{entry(1, 2)}},
			{Seq: 3, Head: head(1), Entries: []vsr.Entry{entry(1, 3)}},
		} {
			require.NoError(t, g.Issued(0, s))
		}
		return g
	}
	for _, ok := range []Opened{opened(0, stamp(0, 3)), opened(1, stamp(1, 2)), opened(1, stamp(1, 3))} {
		g := crashed()
		assert.NoError(t, g.Opened(0, ok), "%v", ok.Last)
		assert.Equal(t, ok.Last, g.Disk(0).Last)
	}
	ahead := opened(0, stamp(0, 3))
	ahead.Head.Commit = 3
	for _, bad := range []Opened{opened(0, stamp(0, 2)), opened(1, stamp(0, 3)), opened(0, stamp(1, 3)), ahead} {
		violated(t, "S5", crashed().Opened(0, bad), "view %d, %v", bad.Head.View, bad.Last)
	}
}

// 11.2: what a member knows to be committed when it starts is compared like what it learns later.
func TestCommitNumberOffTheDiskIsCompared(t *testing.T) {
	g := committed(t)
	require.NoError(t, g.Started(1, vsr.State{Primary: -1, Commit: 4}))
	g.ledger.committed[4].View = 9 // as if the others had committed another entry there
	violated(t, "11.2", g.Knows(1, 4))
}

// 11.1, 11.4, 11.5, 11.10, S3: a member's state after a turn is compared with the one before, and with the others'.
func TestTurnsAreCompared(t *testing.T) {
	g := committed(t)
	leads := func(s *vsr.State) { s.Primary, s.Commit = 0, 4 }
	require.NoError(t, g.turns(0, leads))
	violated(t, "11.1", g.turns(0, func(s *vsr.State) { s.Commit = 3 }), "its commit number falls")
	g.takenBack = 4
	require.NoError(t, g.turns(0, func(s *vsr.State) { s.Commit = 3 }), "a full disk")
	violated(t, "11.4", g.turns(1, func(s *vsr.State) { s.Last = stamp(0, 3) }), "it has lost an entry that it saved")
	violated(t, "11.5", g.turns(1, func(s *vsr.State) { s.Primary = 1 }), "view 0 has another primary")
	violated(t, "11.10", g.turns(2, func(s *vsr.State) { s.Snapshot = 3 }), "it does not compact")
	g.Lost(2)
	violated(t, "S3", g.turns(2, func(s *vsr.State) {}))
}

// 11.7, 11.8, 11.10, N7: what a member applies is compared with the log, and with the reference.
func TestAppliedEntriesAreCompared(t *testing.T) {
	x, nothing := command(3, 1, "x"), Outcome{}
	for _, c := range []struct {
		rule string
		e    vsr.Entry
		got  Outcome
	}{
		{"11.7", x, Outcome{Kept: 1, Bytes: 1}},
		{"11.10", x, Outcome{Executed: true, Kept: 2, Bytes: 1, Result: []byte("x"), Digest: 1}},
		{"11.10", x, Outcome{Executed: true, Kept: 1, Bytes: 2, Result: []byte("x"), Digest: 1}},
		{"11.8", x, Outcome{Executed: true, Kept: 1, Bytes: 1, Result: []byte("y"), Digest: 1}},
		{"11.8", x, Outcome{Executed: true, Kept: 1, Bytes: 1, Result: []byte("x"), Digest: 2}},
		{"11.2", vsr.Entry{Op: 3, Epoch: 1, View: 7}, nothing},
		{"N7", command(4, 2, "y"), nothing},
		{"11.1", command(5, 3, "z"), nothing},
	} {
		g := committed(t)
		require.NoError(t, g.Applied(0, &vsr.Entry{Op: 1, Epoch: 1}, nothing))
		require.NoError(t, g.Applied(0, &vsr.Entry{Op: 2, Epoch: 1}, nothing))
		violated(t, c.rule, g.Applied(0, &c.e, c.got), "%+v", c.got)
	}
	g := committed(t)
	require.NoError(t, g.Restored(1, 3, 1))
	assert.NoError(t, g.Applied(1, &vsr.Entry{Op: 4, Epoch: 1}, Outcome{Executed: true, Kept: 2, Bytes: 2,
		Result: []byte("y"), Digest: 2}))
	violated(t, "11.8", g.Restored(1, 3, 2))
	violated(t, "C3", g.Restored(1, 5, 2))
}

// V2: the member to which the role was handed over, or the one that an error names in its place, has been primary
// since.
func TestHandoversAreCompared(t *testing.T) {
	g := newGroup(t)
	g.members[1].led = 5
	instead := errors.New(`smr: handover to "c": "b" became primary instead`)
	for from := range vsr.View(5) {
		assert.NoError(t, g.HandedOver(1, from, nil))
		assert.NoError(t, g.HandedOver(2, from, instead))
	}
	assert.NoError(t, g.HandedOver(-1, 9, nil), "to any member")
	assert.NoError(t, g.HandedOver(2, 9,
		errors.New(`smr: handover to "c": this replica is not primary, and there is no primary at present`)))
	violated(t, "V2", g.HandedOver(1, 5, nil))
	violated(t, "V2", g.HandedOver(2, 5, instead))
	violated(t, "V2", g.HandedOver(2, 0, nil))
	violated(t, "V2", g.HandedOver(1, 0, errors.New(`smr: handover to "b": "c" became primary instead`)))
	violated(t, "V2", g.HandedOver(1, 0, errors.New("smr: something went wrong")))
}

// 11.7, 11.9, R4, X4: what callers are told is compared with the log, and with what others were told before.
func TestOutcomesOfCallsAreCompared(t *testing.T) {
	begin := func(g *group, body string) *Call {
		c := &Call{Input: body}
		if body != "" {
			c.Body = []byte(body)
		}
		g.Began(c)
		return c
	}
	g := committed(t)
	first, late := begin(g, "y"), begin(g, "x")
	op, err := g.Answered(first, 2, 2, []byte("y"))
	require.NoError(t, err)
	assert.EqualValues(t, 4, op)
	_, err = g.Answered(late, 2, 1, []byte("x"))
	assert.NoError(t, err, "it began before the other was answered")
	assert.Len(t, g.History(nil), 2)
	_, err = g.Answered(begin(g, "x"), 2, 1, []byte("x"))
	violated(t, "11.9", err)
	_, err = g.Answered(begin(g, "x"), 2, 1, []byte("y"))
	violated(t, "11.7", err)
	_, err = g.Answered(begin(g, "x"), 2, 7, []byte("x"))
	violated(t, "11.7", err)
	violated(t, "11.9", g.Read(begin(g, ""), 3, 0))
	assert.NoError(t, g.Read(&Call{Stale: true}, 1, 0))
	assert.NoError(t, g.Read(&Call{Stale: true, Least: 2}, 2, 0))
	violated(t, "R4", g.Read(&Call{Stale: true, Least: 2}, 1, 0))
	violated(t, "X4", g.Refused(begin(g, "x"), 2, 1))
	violated(t, "X4", g.Refused(begin(g, "x"), 2, 0), "a call without a number")

	for number := range uint64(2) { // 0: it had none
		g = committed(t)
		require.NoError(t, g.Refused(begin(g, "z"), 2, 3*number))
		for i := range 3 {
			g.saves(i, 0, command(5, 3, "z"))
		}
		violated(t, "X4", g.Knows(0, 5))
	}

	g = committed(t)
	for i := range 3 {
		g.saves(i, 0, command(5, 3, "x"))
	}
	violated(t, "11.7", g.Knows(0, 5), "a command under two numbers")
}

// 11.10: a read of the log returns what was asked for, in so many bytes and one entry.
func TestEntriesReadFromTheLog(t *testing.T) {
	g := committed(t)
	entries := []vsr.Entry{{Op: 3, Body: make([]byte, 100)}, {Op: 4, Body: make([]byte, 1000)}, {Op: 5}}
	load := vsr.Load{From: 3, To: 5, Bytes: 2000}
	require.NoError(t, g.Loaded(0, load, entries))
	load.Bytes = 100
	require.NoError(t, g.Loaded(0, load, entries[:2]))
	violated(t, "11.10", g.Loaded(0, load, entries))
	violated(t, "11.10", g.Loaded(0, vsr.Load{From: 3, To: 4, Bytes: 2000}, entries))
	violated(t, "11.10", g.Loaded(0, vsr.Load{From: 2, To: 5, Bytes: 2000}, entries))
	entries[1].Body = make([]byte, vsr.MaxBatch+1)
	violated(t, "11.10", g.Loaded(0, vsr.Load{From: 3, To: 5, Bytes: 1 << 30}, entries))
}
