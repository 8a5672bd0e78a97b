package vsr

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type patient struct{}

func (patient) Reset(time.Time)     {}
func (patient) Heard(time.Time)     {}
func (patient) Deadline() time.Time { return farAway }

var threeIDs = [][16]byte{{1}, {2}, {3}}

// member returns replica a of three, in a confirmed group, with the given view on its disk.
func member(t *testing.T, view View) *Replica {
	r := starting(view)
	finishTurn(r)
	return r
}

// starting returns the same member before its start number is durable.
func starting(view View) *Replica {
	configured := NewMembership([]Member{{ID: "a"}, {ID: "b"}, {ID: "c"}})
	list := configured
	list.Members = append([]Member(nil), list.Members...)
	for i := range list.Members {
		list.Members[i].Incarnation = threeIDs[i]
	}
	first := Entry{Op: 1, Epoch: 1, Kind: Formation, Body: list.Encode()}
	return New(Config{Self: 0, Members: configured, Detector: patient{}, Heartbeat: time.Second, Abdication: time.Hour,
		Window: 1 << 20, Tail: 1 << 20, Rand: rand.New(rand.NewPCG(1, 2))},
		Durable{Head: Head{Group: GroupID{9}, Incarnation: threeIDs[0], Epoch: 1, View: view, Commit: 1},
			Last: first.Stamp(), Runs: []Viewstamp{first.Stamp()}, First: &first, Entries: []Entry{first}}, time.Unix(0, 0))
}

// finishTurn ends a turn, completes its saves at once, and returns the messages sent.
func finishTurn(r *Replica) (sent []Message) {
	for {
		out := r.Ready(r.now)
		for _, m := range out.Messages {
			sent = append(sent, m.Message)
		}
		if out.Save == nil {
			return sent
		}
		r.Step(r.now, &Saved{Seq: out.Save.Seq})
	}
}

func hear(r *Replica, from Index, m Message) []Message {
	r.Step(r.now, &Receive{From: from, Header: Header{Group: GroupID{9}, Epoch: 1, Incarnation: threeIDs[from], Start: 1}, Message: m})
	return finishTurn(r)
}

func proposeTo(r *Replica, now time.Time, body []byte) (uint64, error) {
	p := Propose{Body: body}
	r.Step(now, &p)
	return p.Number, p.Err
}

func beginRead(r *Replica, now time.Time) uint64 {
	var read Read
	r.Step(now, &read)
	return read.Number
}

// leadNext makes a start the next view that it leads, with b's vote and log.
func leadNext(t *testing.T, r *Replica) {
	view := r.members.viewOf(0, r.head.View)
	hear(r, 1, &DoViewChange{View: view, Last: r.log.last, Commit: 1, First: 1})
	require.True(t, r.isPrimary(), "view %d", view)
	hear(r, 1, &PrepareOK{View: view, Op: r.log.last.Op})
	require.GreaterOrEqual(t, r.commit, r.primary.opening)
}

func stampOf(e Epoch, v View, op OpNumber) Viewstamp { return Viewstamp{e, v, op} }

// followsB returns replica a as a backup of view 1, which b leads, with everything applied.
func followsB(t *testing.T) *Replica {
	r := member(t, 0)
	hear(r, 1, &Commit{View: 1, Commit: 1, Round: 1})
	hear(r, 1, &Prepare{View: 1, Prev: stampOf(1, 0, 1), Entries: []Entry{{Op: 2, View: 1, Epoch: 1, Kind: Opening}}, Commit: 1})
	hear(r, 1, &Commit{View: 1, Commit: 2, Round: 2})
	r.Step(r.now, &Applied{Op: 2})
	return r
}

// N6: a primary may be heard although it does not lead. A backup whose detector trusts it still reports that there is no
// primary. One that has lost its memory asks for its group, and is not heard at all.
func TestWipedPrimaryIsNoPrimary(t *testing.T) {
	r := followsB(t)
	for range 70 {
		r.advance(r.now.Add(time.Minute))
		hear(r, 1, &Question{Nonce: 1})
		finishTurn(r)
	}
	require.Equal(t, Backup, r.phase())
	assert.Contains(t, r.State().Problem, "no primary since")
	r.advance(r.now.Add(time.Minute))
	h := r.heardAt[1]
	r.Step(r.now, &Receive{From: 1, Header: Header{Start: 1, Incarnation: Incarnation{9}}, Message: &Question{Nonce: 1}})
	assert.Equal(t, h, r.heardAt[1])
}

// S3: a second process with a member's ID and an empty directory asks for its group while the member is heard. That is
// reported as long as it asks. A member that lost its memory is not reported as two.
func TestTwoProcessesWithOneID(t *testing.T) {
	for _, two := range []bool{true, false} {
		r := followsB(t)
		ask := func() {
			r.Step(r.now, &Receive{From: 1, Header: Header{Start: 1, Incarnation: Incarnation{9}}, Message: &Question{Nonce: 1}})
			finishTurn(r)
		}
		for round := range 6 {
			if two || round == 0 {
				hear(r, 1, &Commit{View: 1, Commit: 2, Round: Round(round + 1), Reports: make([]Report, r.n)})
			}
			r.advance(r.now.Add(r.cfg.Heartbeat))
			ask()
			r.advance(r.now.Add(r.cfg.Heartbeat))
		}
		finishTurn(r)
		assert.Equal(t, two, strings.Contains(r.State().Problem, "b is the ID of two processes since "), r.State().Problem)
		r.advance(r.now.Add(2 * r.strangerLapse()))
		hear(r, 1, &Commit{View: 1, Commit: 2, Round: 9, Reports: make([]Report, r.n)})
		finishTurn(r)
		assert.NotContains(t, r.State().Problem, "two processes")
	}
}

// Calls that callers give up are no answers: a replica at which all calls end so reports that, and no longer once no call
// is made.
func TestCallsThatAreGivenUp(t *testing.T) {
	r := followsB(t)
	for range 30 {
		hear(r, 1, &Commit{View: 1, Commit: 2, Round: 1})
		read := beginRead(r, r.now)
		r.advance(r.now.Add(4 * time.Minute))
		finishTurn(r)
		r.Step(r.now, &ForgetRead{Read: read})
		finishTurn(r)
	}
	assert.Contains(t, r.State().Problem, "no call through this replica has been answered since")
	for range 80 {
		r.advance(r.now.Add(time.Minute))
		hear(r, 1, &Commit{View: 1, Commit: 2, Round: 1})
	}
	assert.NotContains(t, r.State().Problem, "no call")
}

// A read that a round has confirmed has no answer until its op is applied.
func TestConfirmedReadIsNoAnswer(t *testing.T) {
	r := followsB(t)
	for i := range uint64(120) {
		hear(r, 1, &Commit{View: 1, Commit: 2, Round: 1})
		if i%10 == 0 {
			beginRead(r, r.now)
			finishTurn(r)
			hear(r, 1, &ReadRoundOK{View: 1, Start: r.head.Start, Read: r.reads.inquiry, Op: 7})
		}
		r.advance(r.now.Add(time.Minute))
		finishTurn(r)
	}
	assert.Contains(t, r.State().Problem, "no call through this replica has been answered since")
}

// S6: a primary whose view has just begun does not count on members that have lost their memory.
func TestALostMemoryNeverAnswers(t *testing.T) {
	r := member(t, 0)
	leadNext(t, r)
	require.True(t, r.hearsQuorum())
	require.True(t, r.hasSpace(1) && r.hasSpace(2))
	r.memories.lost[1], r.memories.lost[2] = true, true
	require.False(t, r.hearsQuorum())
	require.False(t, r.hasSpace(1) || r.hasSpace(2))
}

// A read that its caller has given up is not answered when its op is applied.
func TestConfirmedReadThatIsGivenUp(t *testing.T) {
	began := time.Unix(1, 0)
	for _, givenUp := range []bool{false, true} {
		c := calls{failingAt: began}
		c.confirmed(5, 7, 6)
		c.follow(6, true, began.Add(time.Second), time.Second)
		require.Equal(t, began, c.failingAt)
		if givenUp {
			c.forgotten(5, began.Add(time.Second))
		}
		c.follow(7, true, began.Add(2*time.Second), time.Second)
		assert.Equal(t, !givenUp, c.failingAt.After(began))
		assert.Empty(t, c.unapplied)
	}
}

// No call succeeds before all members have confirmed the group (S2), so a replica is not ready, at once.
func TestNotReadyBeforeTheGroupIsConfirmed(t *testing.T) {
	r := member(t, 1)
	hear(r, 1, &Commit{View: 1, Commit: r.commit})
	require.True(t, r.Health(nil).Ready)
	r.commit = 0
	require.False(t, r.Health(nil).Ready)
}

// A member whose connections are refused is named with the reason (S4, S6), until it is heard.
func TestRefusedConnectionsAreAProblem(t *testing.T) {
	r := member(t, 1)
	r.Step(r.now, &Applied{Op: 1})
	r.Step(r.now.Add(2*time.Hour), &Refused{From: "b", Reason: "it holds group 2"})
	finishTurn(r)
	require.Contains(t, r.State().Problem, "; no messages from b, c; connections of b are refused: it holds group 2")
	hear(r, 1, &Commit{View: 1, Commit: r.commit})
	r.Step(r.now.Add(2*time.Second), &Forget{})
	finishTurn(r)
	require.NotContains(t, r.State().Problem, "refused")
}

// S2: a member that holds only op 1 of a confirmed group, and hears of a member that has lost its memory, reports that the
// formation may have failed. That ends once it learns more of the group.
func TestProblemOfTheFormationEnds(t *testing.T) {
	r := member(t, 0)
	r.commit, r.delivered, r.applied = 0, 0, 0
	r.Step(r.now, &Receive{From: 2, Header: Header{Start: 1}, Message: &Question{Nonce: 1, List: r.cfg.Members.List()}})
	finishTurn(r)
	require.Contains(t, r.State().Problem, "cannot be confirmed if c lost its memory")
	r.advance(r.now.Add(r.cfg.Heartbeat))
	opening := Entry{Op: 2, View: 1, Epoch: 1, Kind: Opening}
	hear(r, 1, &Prepare{View: 1, Prev: stampOf(1, 0, 1), Entries: []Entry{opening}})
	assert.NotContains(t, r.State().Problem, "confirmed")
}

// C1: how long a silent backup was given for its answers does not count once it answers again: what it lacks is resent
// soon if it is lost.
func TestAMemberThatWasAwayIsTimedAnew(t *testing.T) {
	r := member(t, 0)
	leadNext(t, r)
	r.appendNew(Entry{Kind: Command})
	finishTurn(r)
	p := &r.primary.progress[1]
	p.tries = 6 // its answers have failed to come
	hear(r, 1, &CommitOK{View: r.head.View, Round: r.primary.round, Op: r.log.last.Op - 1})
	require.GreaterOrEqual(t, p.tries, 6, "it was not away")
	r.advance(r.now.Add((voteExpiry + 1) * r.cfg.Heartbeat))
	finishTurn(r)
	hear(r, 1, &CommitOK{View: r.head.View, Round: r.primary.round, Op: r.log.last.Op - 1})
	require.LessOrEqual(t, p.tries, 1)
}
