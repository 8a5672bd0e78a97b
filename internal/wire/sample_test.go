package wire

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

var (
	testTag    = TagOf("smr")
	testHeader = vsr.Header{
		Group:       vsr.GroupID{0xa0, 0xa1, 15: 0xaf},
		Epoch:       3,
		Incarnation: vsr.Incarnation{0xb0, 0xb1, 15: 0xbf},
		Start:       7,
	}
	testList = vsr.NewMembership([]vsr.Member{
		{ID: "a", Addr: "127.0.0.1:7001", Incarnation: vsr.Incarnation{1}},
		{ID: "b", Addr: "127.0.0.1:7002", Incarnation: vsr.Incarnation{2}},
		{ID: "c", Incarnation: vsr.Incarnation{3}},
	})
)

// samples returns a new message of every kind, in the order of the kinds.
func samples() []vsr.Message {
	last := vsr.Viewstamp{Epoch: 3, View: 4, Op: 12}
	prev := vsr.Viewstamp{Epoch: 2, View: 9, Op: 10}
	entries := []vsr.Entry{
		{Op: 11, View: 4, Epoch: 3, Time: 1_700_000_000_000_000_000, Kind: vsr.Opening},
		{Op: 12, View: 4, Epoch: 3, Time: 1_700_000_000_000_000_001, Session: 5, Request: 6, Floor: 2,
			Kind: vsr.Command, Body: []byte("x=1")},
	}
	id := vsr.SnapshotID{Group: testHeader.Group, Last: last, Hash: [32]byte{0xc0, 31: 0xcf}}
	list := testList
	list.Group = id.Group
	return []vsr.Message{
		&vsr.Prepare{View: 4, Prev: prev, Commit: 9, Entries: entries},
		&vsr.PrepareOK{View: 4, Op: 12},
		&vsr.Gap{View: 4, Prev: 11, Last: prev},
		&vsr.Commit{View: 4, Commit: 12, Round: 99, Keep: 8, Withdrawn: 2, Acknowledged: []vsr.Acknowledged{{Last: last, Start: 7}, {}, {Last: prev, Start: 5}},
			Reports: []vsr.Report{{Match: 12, Applied: 11}, {Silent: 3e9, Unanswered: 4e9, Late: 2e9, Stuck: 1e9, Match: 10, Applied: 9, Full: true, Problem: "slow"}, {Silent: vsr.Never}}},
		&vsr.CommitOK{View: 4, Round: 99, Op: 12, Applied: 11, Full: true, Problem: "slow"},
		&vsr.StartViewChange{View: 4, Next: 6, Vote: 3, Stalled: 13},
		&vsr.DoViewChange{View: 5, Last: last, Commit: 11, First: 4, Snapshot: 5, Stalled: 13, Full: true, Acknowledged: []vsr.Acknowledged{{Last: last, Start: 7}}},
		&vsr.GetState{View: 5, Best: last, Prev: prev},
		&vsr.NewState{View: 5, Best: last, Prev: prev, Entries: entries},
		&vsr.Question{Nonce: 77, List: testList.List()},
		&vsr.Answer{Nonce: 77, Group: testHeader.Group, Confirmed: true, Named: true, List: testList.List()},
		&vsr.Outdated{Start: 8, Acknowledged: last},
		&vsr.Request{View: 4, Attempt: 3, Op: 12, Requests: []vsr.Proposal{
			{Kind: vsr.OpenSession, Body: []byte("a")},
			{Session: 5, Request: 7, Floor: 2, Kind: vsr.Command, Body: []byte("x=2")},
		}},
		&vsr.Reply{View: 4, Start: 7, Attempt: 3, From: 7, Accepted: 2, Full: true},
		&vsr.ReadRound{View: 4, Read: 21, Op: 12},
		&vsr.ReadRoundOK{View: 4, Start: 7, Read: 21, Op: 12},
		&vsr.SnapshotOffer{View: 4, First: 13, Snapshot: vsr.Snapshot{SnapshotID: id, Size: 1000, Chunks: 2, Members: list}},
		&vsr.GetChunk{Snapshot: id, Chunk: 1},
		&vsr.SnapshotChunk{Snapshot: id, Chunk: 1, Data: []byte("state")},
		&vsr.Relay{From: 1, To: 2, Unheard: true, Sender: testHeader, Message: &vsr.PrepareOK{View: 4, Op: 12}},
		&vsr.Part{Stream: 3, Number: 41, Last: true, Data: []byte("part")},
		&vsr.PartOK{Start: 7, Stream: 3, Arrived: 42},
	}
}

// batch returns a Prepare of n commands with bodies of size bytes.
func batch(n, size int) *vsr.Prepare {
	prev := vsr.Viewstamp{Epoch: 3, View: 4, Op: 1000}
	p := &vsr.Prepare{View: 4, Prev: prev, Commit: 990, Entries: make([]vsr.Entry, n)}
	for i := range p.Entries {
		p.Entries[i] = vsr.Entry{Op: prev.Op + 1 + vsr.OpNumber(i), View: 4, Epoch: 3, Time: 1_700_000_000_000_000_000,
			Session: 17, Request: uint64(i + 1), Floor: 1, Kind: vsr.Command, Body: make([]byte, size)}
	}
	return p
}

// random generates messages that follow the protocol, with numbers of every size.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 0))} }

func (r random) num() uint64          { return r.Uint64() >> (2 + r.IntN(62)) }
func (r random) flag() bool           { return r.IntN(2) == 0 }
func (r random) text() string         { return strings.Repeat("é", r.IntN(4)) + string(r.body()) }
func (r random) upTo(n uint64) uint64 { return r.num() % (n + 1) }

func (r random) body() []byte {
	b := make([]byte, r.IntN(40))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b[:len(b):len(b)]
}

func (r random) header() vsr.Header {
	h := testHeader
	h.Epoch, h.Start = vsr.Epoch(r.num()+1), r.num()
	for i := range h.Group {
		h.Group[i], h.Incarnation[i] = byte(r.Uint32()), byte(r.Uint32())
	}
	return h
}

// below returns the viewstamp of an entry at or below limit, or the zero viewstamp.
func (r random) below(limit vsr.Viewstamp) vsr.Viewstamp {
	s := vsr.Viewstamp{Epoch: limit.Epoch, View: limit.View, Op: vsr.OpNumber(r.upTo(uint64(limit.Op)))}
	if s.Op == 0 {
		return vsr.Viewstamp{}
	}
	if r.flag() {
		s.View = vsr.View(r.upTo(uint64(limit.View)))
	}
	if epoch := vsr.Epoch(r.upTo(uint64(limit.Epoch))); r.flag() && epoch > 0 && epoch < limit.Epoch {
		s.Epoch, s.View = epoch, vsr.View(r.num())
	}
	return s
}

// acknowledged returns what up to MaxVoters members have acknowledged, up to limit.
func (r random) acknowledged(limit vsr.Viewstamp) []vsr.Acknowledged {
	var all []vsr.Acknowledged
	for range r.IntN(vsr.MaxVoters + 1) {
		all = append(all, vsr.Acknowledged{Last: r.below(limit), Start: r.num()})
	}
	return all
}

// reports returns reports of up to MaxVoters members.
func (r random) reports() []vsr.Report {
	var all []vsr.Report
	for range r.IntN(vsr.MaxVoters + 1) {
		all = append(all, vsr.Report{Silent: time.Duration(r.num()), Unanswered: time.Duration(r.num()), Relayed: r.flag(), Late: time.Duration(r.num()), Stuck: time.Duration(r.num()), Match: vsr.OpNumber(r.num()), Applied: vsr.OpNumber(r.num()), Full: r.flag(), Problem: r.text()})
	}
	return all
}

func (r random) membership() vsr.Membership {
	members := make([]vsr.Member, 1+r.IntN(vsr.MaxVoters))
	for i := range members {
		members[i] = vsr.Member{ID: r.text(), Addr: r.text(), Role: uint8(r.IntN(3)), Incarnation: vsr.Incarnation{byte(i)}}
	}
	return vsr.NewMembership(members)
}

// entries returns up to 5 entries that follow prev, none of a later view than limit's.
func (r random) entries(prev, limit vsr.Viewstamp) []vsr.Entry {
	var entries []vsr.Entry
	for clock := int64(r.num()); r.IntN(5) > 0 && prev.Op < limit.Op; clock += int64(r.IntN(3)) {
		if prev.Op == 0 || r.IntN(3) == 0 {
			prev.Epoch, prev.View = limit.Epoch, limit.View
		}
		prev.Op++
		entries = append(entries, r.entry(prev, clock))
	}
	return entries
}

func (r random) entry(at vsr.Viewstamp, clock int64) vsr.Entry {
	e := vsr.Entry{Op: at.Op, View: at.View, Epoch: at.Epoch, Time: clock, Kind: vsr.Opening}
	if at.Op == 1 {
		m := r.membership()
		e.Kind, e.Body = vsr.Formation, m.Encode()
	} else if r.flag() {
		e.Kind, e.Session, e.Request, e.Floor = vsr.Command, r.upTo(uint64(at.Op-1)), r.num(), r.num()
	}
	if body := r.body(); e.Kind == vsr.Command && len(body) > 0 {
		e.Body = body
	}
	return e
}

// message returns a message of kind k.
func (r random) message(k vsr.MessageKind) (vsr.Header, vsr.Message) {
	h, view := r.header(), vsr.View(r.num())
	last := r.below(vsr.Viewstamp{Epoch: h.Epoch, View: view, Op: vsr.OpNumber(r.num())})
	prev, op := r.below(last), vsr.OpNumber(r.num())
	id := vsr.SnapshotID{Group: h.Group, Last: vsr.Viewstamp{Epoch: h.Epoch, View: view, Op: op + 1}, Hash: [32]byte{byte(op)}}
	switch k {
	case vsr.KindPrepare:
		return h, &vsr.Prepare{View: view, Prev: prev, Commit: op, Entries: r.entries(prev, last)}
	case vsr.KindPrepareOK:
		return h, &vsr.PrepareOK{View: view, Op: op}
	case vsr.KindGap:
		return h, &vsr.Gap{View: view, Prev: last.Op + op, Last: last}
	case vsr.KindCommit:
		return h, &vsr.Commit{View: view, Commit: op, Round: vsr.Round(r.num()), Keep: vsr.OpNumber(r.num()), Withdrawn: r.num(), Acknowledged: r.acknowledged(last), Reports: r.reports()}
	case vsr.KindCommitOK:
		return h, &vsr.CommitOK{View: view, Round: vsr.Round(r.num()), Op: op, Applied: vsr.OpNumber(r.num()), Full: r.flag(), Problem: r.text()}
	case vsr.KindStartViewChange:
		return h, &vsr.StartViewChange{View: view, Next: vsr.View(r.num()), Vote: r.num(), Stalled: vsr.OpNumber(r.num())}
	case vsr.KindDoViewChange:
		return h, &vsr.DoViewChange{View: view, Last: last, Commit: vsr.OpNumber(r.upTo(uint64(last.Op))),
			First: 1 + vsr.OpNumber(r.upTo(uint64(prev.Op))), Snapshot: prev.Op, Stalled: vsr.OpNumber(r.num()), Full: r.flag(), Acknowledged: r.acknowledged(last)}
	case vsr.KindGetState:
		return h, &vsr.GetState{View: view, Best: last, Prev: prev}
	case vsr.KindNewState:
		if r.flag() {
			return h, &vsr.NewState{View: view, Best: last, Prev: prev, Gone: true}
		}
		return h, &vsr.NewState{View: view, Best: last, Prev: prev, Entries: r.entries(prev, last)}
	case vsr.KindSnapshotOffer:
		list := r.membership()
		list.Group = id.Group
		return h, &vsr.SnapshotOffer{View: view, First: 1 + vsr.OpNumber(r.upTo(uint64(op))), Snapshot: vsr.Snapshot{
			SnapshotID: id, Size: int64(r.num()), Chunks: 1 + r.Uint32()>>1, Members: list}}
	case vsr.KindGetChunk:
		return h, &vsr.GetChunk{Snapshot: id, Chunk: r.Uint32()}
	case vsr.KindSnapshotChunk:
		return h, &vsr.SnapshotChunk{Snapshot: id, Chunk: r.Uint32(), Data: append([]byte{1}, r.body()...)}
	case vsr.KindRelay:
		kinds := []vsr.MessageKind{vsr.KindPrepare, vsr.KindCommitOK, vsr.KindRequest, vsr.KindSnapshotOffer}
		inner, m := r.message(kinds[r.IntN(len(kinds))])
		return h, &vsr.Relay{From: vsr.Index(r.IntN(3)), To: vsr.Index(3 + r.IntN(4)), Unheard: r.flag(), Sender: inner, Message: m}
	default:
		return r.outside(k, h, view)
	}
}

// outside returns a message of a kind that does not describe logs.
func (r random) outside(k vsr.MessageKind, h vsr.Header, view vsr.View) (vsr.Header, vsr.Message) {
	none := h // header of a sender that holds nothing yet
	none.Group, none.Epoch = vsr.GroupID{}, 0
	switch k {
	case vsr.KindQuestion:
		return none, &vsr.Question{Nonce: r.num(), List: r.text()}
	case vsr.KindAnswer:
		switch r.IntN(3) {
		case 0:
			return none, &vsr.Answer{Nonce: r.num(), List: r.text()}
		case 1:
			return none, &vsr.Answer{Nonce: r.num(), Group: h.Group, Confirmed: true}
		}
		return h, &vsr.Answer{Nonce: r.num(), Group: h.Group, Confirmed: r.flag(), Named: r.flag()}
	case vsr.KindOutdated:
		return h, &vsr.Outdated{Start: r.num(), Acknowledged: r.below(vsr.Viewstamp{Epoch: h.Epoch, View: view, Op: vsr.OpNumber(r.num())})}
	case vsr.KindRequest:
		m := &vsr.Request{View: view, Attempt: r.num(), Op: vsr.OpNumber(r.num())}
		for range r.IntN(5) {
			m.Requests = append(m.Requests, vsr.Proposal{Session: r.num(), Request: r.num(), Floor: r.num(),
				Kind: vsr.Command, Body: append([]byte{1}, r.body()...)})
		}
		return h, m
	case vsr.KindReply:
		return h, &vsr.Reply{View: view, Start: r.num(), Attempt: r.num(), From: r.num(), Accepted: r.num(),
			Overloaded: r.flag(), Full: r.flag()}
	case vsr.KindReadRound:
		return h, &vsr.ReadRound{View: view, Read: r.num(), Op: vsr.OpNumber(r.num())}
	case vsr.KindPart:
		return h, &vsr.Part{Stream: r.num(), Number: r.num(), Last: r.flag(), Data: append([]byte{1}, r.body()...)}
	case vsr.KindPartOK:
		return h, &vsr.PartOK{Start: r.num(), Stream: r.num(), Arrived: r.num()}
	case vsr.KindReadRoundOK:
		return h, &vsr.ReadRoundOK{View: view, Start: r.num(), Read: r.num(), Op: vsr.OpNumber(r.num())}
	}
	panic("a kind that no case makes")
}
