package wire

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

// refused is a change to a sample that no replica following the protocol can have made.
type refused struct {
	name   string
	kind   vsr.MessageKind
	change func(h *vsr.Header, m vsr.Message)
	want   string
}

// bad returns a row of the table for a message of type M.
func bad[M any, P interface {
	*M
	vsr.Message
}](name string, change func(h *vsr.Header, m P), want string) refused {
	return refused{name, vsr.KindOf(P(new(M))), func(h *vsr.Header, m vsr.Message) { change(h, m.(P)) }, want}
}

func TestImpossibleMessagesAreRefused(t *testing.T) {
	tooLarge := make([]byte, vsr.MaxBody+1)
	for _, c := range []refused{
		bad("sender without a memory", func(h *vsr.Header, m *vsr.Commit) { h.Incarnation = vsr.Incarnation{} }, "Commit: sender has no incarnation"),
		bad("group without an epoch", func(h *vsr.Header, m *vsr.Commit) { h.Epoch = 0 }, "epoch 0 in group a0a10000"),
		bad("epoch without a group", func(h *vsr.Header, m *vsr.Commit) { h.Group = vsr.GroupID{} }, "epoch 3 in group 00000000"),

		bad("gap in the ops", func(h *vsr.Header, m *vsr.Prepare) { m.Entries[1].Op++ }, "Prepare: entry 13@3.4 cannot follow 11@3.4"),
		bad("gap before the first entry", func(h *vsr.Header, m *vsr.Prepare) { m.Prev.Op-- }, "entry 11@3.4 cannot follow 9@2.9"),
		bad("same op again", func(h *vsr.Header, m *vsr.Prepare) { m.Prev.Op++ }, "entry 11@3.4 cannot follow 11@2.9"),
		bad("op after the highest", func(h *vsr.Header, m *vsr.Prepare) { m.Prev.Op, m.Entries[0].Op = math.MaxUint64, 0 }, "ops and epochs begin at 1"),
		bad("view falls", func(h *vsr.Header, m *vsr.Prepare) { m.Entries[1].View = 3 }, "entry 12@3.3 cannot follow 11@3.4"),
		bad("view falls below the entry before", func(h *vsr.Header, m *vsr.Prepare) { m.Prev.Epoch, m.Prev.View = 3, 5 }, "entry 11@3.4 cannot follow 10@3.5"),
		bad("epoch falls", func(h *vsr.Header, m *vsr.Prepare) { m.Entries[1].Epoch = 2 }, "entry 12@2.4 cannot follow 11@3.4"),
		bad("time falls", func(h *vsr.Header, m *vsr.Prepare) { m.Entries[1].Time -= 2 }, "is before the previous entry's"),
		bad("entry above the view", func(h *vsr.Header, m *vsr.Prepare) { m.View = 3 }, "entry 12@3.4 is above the sender's view, 3.3"),
		bad("entry above the epoch", func(h *vsr.Header, m *vsr.Prepare) { h.Epoch = 2 }, "entry 12@3.4 is above the sender's view, 2.4"),
		bad("op 0 with a view", func(h *vsr.Header, m *vsr.Prepare) { m.Prev, m.Entries = vsr.Viewstamp{View: 1}, nil }, "no entry can have viewstamp 0@0.1"),
		bad("entry without an epoch", func(h *vsr.Header, m *vsr.Prepare) { m.Prev.Epoch = 0 }, "no entry can have viewstamp 10@0.9"),
		bad("no kind", func(h *vsr.Header, m *vsr.Prepare) { m.Entries[1].Kind = 0 }, "entry 12@3.4: unknown kind 0"),
		bad("unknown kind", func(h *vsr.Header, m *vsr.Prepare) { m.Entries[1].Kind = 5 }, "entry 12@3.4: unknown kind 5"),
		bad("session opened by itself", func(h *vsr.Header, m *vsr.Prepare) { m.Entries[1].Session = 12 }, "session 12 was not opened before it"),
		bad("formation above op 1", func(h *vsr.Header, m *vsr.Prepare) { m.Entries[1].Kind = vsr.Formation }, "op 1 and no other is the formation"),
		bad("op 1 is not a formation", func(h *vsr.Header, m *vsr.Prepare) { firstEntry(m).Kind = vsr.Opening }, "op 1 and no other is the formation"),
		bad("formation without members", func(h *vsr.Header, m *vsr.Prepare) { firstEntry(m).Body = nil }, "member list does not parse"),

		bad("log extends above the refused entries", func(h *vsr.Header, m *vsr.Gap) { m.Prev = 9 }, "last entry 10 is above entry before the refused 9"),
		bad("log above its own view", func(h *vsr.Header, m *vsr.Gap) { m.Last.Epoch = 3 }, "last entry 10@3.9 is above the sender's view, 3.4"),

		bad("log above the view entered", func(h *vsr.Header, m *vsr.DoViewChange) { m.Last.View = 6 }, "last entry 12@3.6 is above the sender's view, 3.5"),
		bad("commit above the log", func(h *vsr.Header, m *vsr.DoViewChange) { m.Commit = 13 }, "commit number 13 is above last entry 12"),
		bad("snapshot above the log", func(h *vsr.Header, m *vsr.DoViewChange) { m.Snapshot = 13 }, "snapshot 13 is above last entry 12"),
		bad("ops missing above the snapshot", func(h *vsr.Header, m *vsr.DoViewChange) { m.First = 7 }, "log begins at 7, snapshot ends at 5: ops are missing"),
		bad("log begins at op 0", func(h *vsr.Header, m *vsr.DoViewChange) { m.First = 0 }, "log begins at 0"),

		bad("more acknowledgements than members", func(h *vsr.Header, m *vsr.Commit) { m.Acknowledged = make([]vsr.Acknowledged, 8) }, "8 members have acknowledged entries"),
		bad("acknowledged above the view", func(h *vsr.Header, m *vsr.Commit) { m.View = 3 }, "acknowledged entry 12@3.4 is above the sender's view, 3.3"),
		bad("acknowledged above the view entered", func(h *vsr.Header, m *vsr.DoViewChange) { m.Acknowledged[0].Last.View = 6 }, "acknowledged entry 12@3.6 is above the sender's view, 3.5"),
		bad("no entry acknowledged", func(h *vsr.Header, m *vsr.Outdated) { m.Acknowledged.Op = 0 }, "no entry can have viewstamp 0@3.4"),

		bad("request above the best", func(h *vsr.Header, m *vsr.GetState) { m.Prev.Epoch = 3 }, "entry before 10@3.9 is above the best, 12@3.4"),
		bad("best above the view", func(h *vsr.Header, m *vsr.GetState) { m.View = 3 }, "best 12@3.4 is above the sender's view, 3.3"),
		bad("request from no entry", func(h *vsr.Header, m *vsr.GetState) { m.Prev.Op = 0 }, "no entry can have viewstamp 0@2.9"),

		bad("entries though gone", func(h *vsr.Header, m *vsr.NewState) { m.Gone = true }, "Gone is set, but the message has 2 entries"),
		bad("entries do not follow", func(h *vsr.Header, m *vsr.NewState) { m.Entries = m.Entries[1:] }, "entry 12@3.4 cannot follow 10@2.9"),
		bad("entries above the best", func(h *vsr.Header, m *vsr.NewState) { m.Best.Op = 11 }, "last entry sent 12@3.4 is above the best, 11@3.4"),
		bad("more entries than the best has", func(h *vsr.Header, m *vsr.NewState) { m.View, m.Best.View, m.Best.Op = 6, 6, 11 }, "last entry sent 12 is above best 11"),
		bad("state above the view", func(h *vsr.Header, m *vsr.NewState) { m.View = 3 }, "best 12@3.4 is above the sender's view, 3.3"),

		bad("answer about another group", func(h *vsr.Header, m *vsr.Answer) { m.Group[0]++ }, "group a0a10000 in the header, a1a10000 in the answer"),
		bad("member that does not name its group", func(h *vsr.Header, m *vsr.Answer) { m.Group = vsr.GroupID{} }, "00000000 in the answer"),
		bad("named by no group", func(h *vsr.Header, m *vsr.Answer) { h.Group, h.Epoch = vsr.GroupID{}, 0 }, "Named is set, but the header names no group"),
		bad("group of others that is not confirmed", func(h *vsr.Header, m *vsr.Answer) {
			h.Group, h.Epoch, m.Named, m.Confirmed = vsr.GroupID{}, 0, false, false
		}, "group a0a10000 of others, confirmed: false"),
		bad("no group is confirmed", func(h *vsr.Header, m *vsr.Answer) {
			h.Group, h.Epoch, m.Group, m.Named = vsr.GroupID{}, 0, vsr.GroupID{}, false
		}, "group 00000000 of others, confirmed: true"),

		bad("opening entry proposed", func(h *vsr.Header, m *vsr.Request) { m.Requests[1].Kind = vsr.Opening }, "request 7: kind 2 cannot be proposed"),
		bad("formation proposed", func(h *vsr.Header, m *vsr.Request) { m.Requests[1].Kind = vsr.Formation }, "request 7: kind 3 cannot be proposed"),
		bad("body above the limit proposed", func(h *vsr.Header, m *vsr.Request) { m.Requests[1].Body = tooLarge }, "request 7: its body has 33554433 bytes; the limit is 33554432"),
		bad("body above the limit", func(h *vsr.Header, m *vsr.Prepare) { m.Entries[1].Body = tooLarge }, "entry 12@3.4: its body has 33554433 bytes; the limit is 33554432"),
		bad("unknown kind proposed", func(h *vsr.Header, m *vsr.Request) { m.Requests[1].Kind = 99 }, "request 7: kind 99 cannot be proposed"),

		bad("snapshot without ops", func(h *vsr.Header, m *vsr.SnapshotOffer) { m.Snapshot.Last = vsr.Viewstamp{} }, "snapshot without ops"),
		bad("snapshot above the view", func(h *vsr.Header, m *vsr.SnapshotOffer) { m.View = 3 }, "snapshot 12@3.4 is above the sender's view, 3.3"),
		bad("ops missing above the offered", func(h *vsr.Header, m *vsr.SnapshotOffer) { m.First = 14 }, "log begins at 14, snapshot ends at 12"),
		bad("negative size", func(h *vsr.Header, m *vsr.SnapshotOffer) { m.Snapshot.Size = -1 }, "snapshot of -1 bytes in 2 chunks"),
		bad("bytes in no chunk", func(h *vsr.Header, m *vsr.SnapshotOffer) { m.Snapshot.Chunks = 0 }, "snapshot of 1000 bytes in 0 chunks"),
		bad("snapshot without members", func(h *vsr.Header, m *vsr.SnapshotOffer) { m.Snapshot.Members.Members = nil }, "member list does not parse"),
		bad("snapshot of another group", func(h *vsr.Header, m *vsr.SnapshotOffer) { m.Snapshot.Group[0]++; m.Snapshot.Members.Group[0]++ }, "snapshot of group a1a10000 from a member of group a0a10000"),
		bad("snapshot with members of another group", func(h *vsr.Header, m *vsr.SnapshotOffer) { m.Snapshot.Members.Group[0]++ }, "snapshot of group a0a10000 with members of group a1a10000"),
		bad("chunk of another group's snapshot requested", func(h *vsr.Header, m *vsr.GetChunk) { m.Snapshot.Group[0]++ }, "snapshot of group a1a10000 from a member of group a0a10000"),
		bad("chunk of another group's snapshot", func(h *vsr.Header, m *vsr.SnapshotChunk) { m.Snapshot.Group[0]++ }, "snapshot of group a1a10000 from a member of group a0a10000"),
		bad("chunk of a snapshot without ops requested", func(h *vsr.Header, m *vsr.GetChunk) { m.Snapshot.Last.Op = 0 }, "snapshot without ops"),
		bad("chunk of a snapshot without ops", func(h *vsr.Header, m *vsr.SnapshotChunk) { m.Snapshot.Last.Op = 0 }, "snapshot without ops"),
		bad("chunk of no epoch", func(h *vsr.Header, m *vsr.SnapshotChunk) { m.Snapshot.Last.Epoch = 0 }, "no entry can have viewstamp 12@0.4"),
	} {
		t.Run(c.name, func(t *testing.T) {
			h, m := testHeader, samples()[c.kind-1]
			c.change(&h, m)
			gotHeader, got, err := DecodeMessage(encode(h, m), testTag)
			require.ErrorContains(t, err, c.want)
			assert.Nil(t, got)
			assert.Zero(t, gotHeader)
		})
	}
}

// firstEntry makes m the Prepare of op 1 and returns its only entry.
func firstEntry(m *vsr.Prepare) *vsr.Entry {
	m.Prev = vsr.Viewstamp{}
	m.Entries = []vsr.Entry{{Op: 1, Epoch: 1, Kind: vsr.Formation, Body: testList.Encode()}}
	return &m.Entries[0]
}

func TestMessagesAtTheEdgeOfThePossibleAreTaken(t *testing.T) {
	formation := new(vsr.Prepare)
	firstEntry(formation)
	end := vsr.Viewstamp{Epoch: 3, View: 4, Op: 12}
	list := testList
	list.Group = testHeader.Group
	for name, m := range map[string]vsr.Message{
		"formation":                          formation,
		"question to an empty log":           &vsr.Prepare{View: 0},
		"gap of an empty log":                &vsr.Gap{View: 4, Prev: 10},
		"gap that only names the view":       &vsr.Gap{View: 4},
		"view change with an empty log":      &vsr.DoViewChange{View: 1, First: 1},
		"view change with a snapshot only":   &vsr.DoViewChange{View: 4, Last: end, Commit: 12, First: 13, Snapshot: 12},
		"restart in a view that has entries": &vsr.DoViewChange{View: 4, Last: end, First: 1},
		"best log is wanted whole":           &vsr.GetState{View: 4, Best: end},
		"best log is shorter":                &vsr.GetState{View: 4, Best: end, Prev: vsr.Viewstamp{Epoch: 3, View: 3, Op: 20}},
		"best log is empty":                  &vsr.GetState{View: 4},
		"nothing more up to the best":        &vsr.NewState{View: 4, Best: end, Prev: end},
		"gone":                               &vsr.NewState{View: 4, Best: end, Gone: true},
		"empty request":                      &vsr.Request{View: 4},
		"empty chunk":                        &vsr.SnapshotChunk{Snapshot: vsr.SnapshotID{Group: list.Group, Last: end}},
		"empty snapshot": &vsr.SnapshotOffer{View: 4, First: 1,
			Snapshot: vsr.Snapshot{SnapshotID: vsr.SnapshotID{Group: list.Group, Last: end}, Members: list}},
	} {
		_, got, err := DecodeMessage(encode(testHeader, m), testTag)
		assert.NoError(t, err, name)
		assert.Equal(t, m, got, name)
	}
}

func TestSenderThatHoldsNothingIsHeard(t *testing.T) {
	h := vsr.Header{Incarnation: testHeader.Incarnation, Start: 1}
	for _, m := range []vsr.Message{&vsr.Question{Nonce: 1}, &vsr.Answer{Nonce: 1}, &vsr.Answer{Nonce: 1, Group: testHeader.Group, Confirmed: true}} {
		got, _, err := DecodeMessage(encode(h, m), testTag)
		require.NoError(t, err)
		assert.Equal(t, h, got)
	}
}
