package vsr

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type patient struct{}

func (patient) Reset(time.Time)     {}
func (patient) Heard(time.Time)     {}
func (patient) Deadline() time.Time { return farAway }

var threeIDs = [][16]byte{{1}, {2}, {3}}

// member returns replica a of three, in a confirmed group, with the given view on its disk.
func member(t *testing.T, view View) *Replica {
	configured := NewMembership([]Member{{ID: "a"}, {ID: "b"}, {ID: "c"}})
	list := configured
	list.Members = append([]Member(nil), list.Members...)
	for i := range list.Members {
		list.Members[i].Incarnation = threeIDs[i]
	}
	first := Entry{Op: 1, Epoch: 1, Kind: Formation, Body: list.Encode()}
	r := New(Config{Self: 0, Members: configured, Detector: patient{}, Heartbeat: time.Second, Abdication: time.Hour,
		Window: 1 << 20, Tail: 1 << 20, Rand: rand.New(rand.NewPCG(1, 2))},
		Durable{Head: Head{Group: GroupID{9}, Incarnation: threeIDs[0], Epoch: 1, View: view, Commit: 1},
			Last: first.Stamp(), Runs: []Viewstamp{first.Stamp()}, First: &first, Entries: []Entry{first}}, time.Unix(0, 0))
	finishTurn(r)
	return r
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
