package shell

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

const testPart = 64 // bytes of a part in these tests

// groupWithParts returns a group whose messages of more than 1 KiB travel in parts.
func groupWithParts(t *testing.T, n int) *group {
	return newGroup(t, n, func(c *Config) { c.PartSize = testPart })
}

var largeBody = strings.Repeat("body of a large operation; ", 400)

// C5: a large operation arrives whole at each member, in parts, whoever submits it. A small one travels whole.
func TestLargeMessagesTravelInParts(t *testing.T) {
	g := groupWithParts(t, 3)
	g.primary().must("small")
	for _, n := range []*node{g.primary(), g.backups()[0]} {
		parts, longest := 0, 0
		g.lost = func(m letter, x vsr.Message) bool {
			if p, ok := x.(*vsr.Part); ok {
				parts++
				assert.LessOrEqual(t, len(p.Data), testPart)
			}
			longest = max(longest, len(m.bytes))
			return false
		}
		n.must(largeBody)
		g.until("all have it", func() bool {
			return !slices.ContainsFunc(g.nodes, func(n *node) bool { return n.user.items[len(n.user.items)-1] != largeBody })
		})
		assert.LessOrEqual(t, longest, leastPart*testPart)
		assert.Greater(t, parts, 2*len(largeBody)/testPart)
		parts = 0
		n.must("another")
		assert.Zero(t, parts)
	}
}

// C5: while a large message is on its way, short messages go ahead of it, and bulk waits behind it.
func TestBulkWaitsBehindParts(t *testing.T) {
	g := groupWithParts(t, 3)
	p, b := g.primary(), g.backups()[0]
	p.must("first")
	g.pass(time.Second)
	var came []vsr.MessageKind
	g.lost = func(m letter, x vsr.Message) bool {
		if m.to == b.i {
			came = append(came, vsr.KindOf(x))
		}
		_, part := x.(*vsr.Part)
		return part && m.to == b.i
	}
	p.propose(largeBody)
	g.run()
	g.now = g.now.Add(time.Microsecond)
	p.must("second")
	g.pass(3 * heartbeat)
	assert.Contains(t, came, vsr.KindPart)
	assert.Contains(t, came, vsr.KindCommit)
	assert.NotContains(t, came, vsr.KindPrepare)
	g.lost = nil
	g.until("b has both", func() bool { return len(b.user.items) == 3 })
	assert.Equal(t, []string{"first", largeBody, "second"}, b.user.items)
}

// C5, X6: a short message for another member goes ahead too if it leaves through a member that is sent parts. Bulk of no
// view waits, and leaves with the rest.
func TestShortMessagesForOthersGoAheadOfParts(t *testing.T) {
	g := groupWithParts(t, 3)
	g.primary().must("first")
	g.primary().cut = true
	g.until("another leads", func() bool { return g.primary().state.Head.View > 0 })
	g.nodes[0].cut = false
	g.pass(3 * time.Second)
	p, b := g.primary(), g.backups()[0]
	p.must("second")
	g.pass(time.Second)
	var came []vsr.MessageKind
	lose := true
	g.lost = func(m letter, x vsr.Message) bool {
		if r, ok := x.(*vsr.Relay); ok && m.to == b.i {
			came = append(came, vsr.KindOf(r.Message))
		}
		_, part := x.(*vsr.Part)
		return lose && part && m.to == b.i
	}
	p.propose(largeBody)
	g.run()
	require.True(t, p.shell.Loop.parts.busy(b.i))
	for _, m := range []vsr.Message{&vsr.Commit{}, &vsr.SnapshotChunk{Snapshot: vsr.SnapshotID{Group: p.shell.Loop.core.Header().Group, Last: vsr.Viewstamp{Epoch: 1, Op: 1}}}} {
		h := p.shell.Loop.core.Header()
		p.shell.Loop.send(&vsr.Outgoing{To: []vsr.Index{b.i}, Message: &vsr.Relay{From: p.i, To: 3 - p.i - b.i, Sender: h, Message: m}})
	}
	g.pass(heartbeat)
	assert.Equal(t, []vsr.MessageKind{vsr.KindCommit}, came)
	lose = false
	g.until("b has the large one", func() bool { return b.user.items[len(b.user.items)-1] == largeBody })
	assert.Equal(t, []vsr.MessageKind{vsr.KindCommit, vsr.KindSnapshotChunk}, came)
}

// C5: parts that are lost, or whose answers are, are sent again, and nothing that has arrived is.
func TestLostPartsAreSentAgain(t *testing.T) {
	for _, lost := range []string{"every seventh part", "every other answer"} {
		t.Run(lost, func(t *testing.T) {
			g := groupWithParts(t, 3)
			p := g.primary()
			p.must("first")
			arrived, number := 0, 0
			g.lost = func(m letter, x vsr.Message) bool {
				switch x.(type) {
				case *vsr.Part:
					number++
					if lost == "every seventh part" && number%7 == 0 {
						return true
					}
					arrived++
				case *vsr.PartOK:
					number++
					return lost == "every other answer" && number%2 == 0
				}
				return false
			}
			p.must(largeBody)
			g.until("all have it", func() bool {
				return !slices.ContainsFunc(g.nodes, func(n *node) bool { return len(n.user.items) < 2 })
			})
			assert.Less(t, arrived, 2*2*(len(largeBody)/testPart+10), "parts that arrived at two members")
		})
	}
}

// C5: a member that restarts in the middle of a message gets all of it.
func TestReceiverOfPartsRestarts(t *testing.T) {
	g := groupWithParts(t, 3)
	p, b := g.primary(), g.backups()[0]
	p.must("first")
	stop := false
	g.lost = func(m letter, x vsr.Message) bool {
		part, ok := x.(*vsr.Part)
		stop = stop || ok && m.to == b.i && part.Number == 20
		return stop && m.to == b.i
	}
	p.must(largeBody)
	require.True(t, stop)
	require.NotZero(t, b.shell.Loop.parts.in[p.i].arrived)
	g.restart(int(b.i))
	g.lost = nil
	g.until("b has it", func() bool { return len(b.user.items) == 2 })
	assert.Equal(t, largeBody, b.user.items[1])

	o := &p.shell.Loop.parts.out[b.i]
	from := o.arrived
	g.lost = func(m letter, x vsr.Message) bool {
		part, ok := x.(*vsr.Part)
		return ok && m.to == b.i && part.Number >= from+50
	}
	p.propose(largeBody)
	g.until("parts have arrived", func() bool { return o.arrived == from+50 })
	stream := o.stream
	o.acknowledged(&vsr.PartOK{Stream: stream - 1}, g.now)
	o.acknowledged(&vsr.PartOK{Stream: stream, Arrived: 1}, g.now)
	assert.Equal(t, stream, o.stream, "late answers")
	o.acknowledged(&vsr.PartOK{Stream: stream}, g.now)
	assert.Equal(t, stream+1, o.stream, "the member has nothing any more")
	g.lost = nil
	g.until("b has it", func() bool { return len(b.user.items) == 3 })
}

// C5, 11.10: nothing is kept for a member that does not answer, nor for a view that is over.
func TestPartsAreDropped(t *testing.T) {
	t.Run("silent", func(t *testing.T) {
		g := groupWithParts(t, 3)
		p, b := g.primary(), g.backups()[0]
		p.must("first")
		b.cut = true
		p.must(largeBody)
		o := &p.shell.Loop.parts.out[b.i]
		require.True(t, o.busy())
		for range maxTries {
			g.now = o.lostAt
			o.flush(g.now)
			require.True(t, o.busy())
		}
		g.now = o.lostAt
		o.flush(g.now)
		require.False(t, o.busy())
		assert.Zero(t, o.bytes)
		seen := &events{}
		p.shell.Loop.recorder = seen
		p.turn()
		p.turn()
		told := slices.DeleteFunc(seen.all, func(e vsr.Event) bool { _, ok := e.(*vsr.Dropped); return !ok })
		assert.Equal(t, []vsr.Event{&vsr.Dropped{To: b.i}}, told, "the core learns it, once")
		b.cut = false
		g.until("b has it", func() bool { return len(b.user.items) == 2 })
	})
	t.Run("view", func(t *testing.T) {
		g := groupWithParts(t, 3)
		p, b := g.primary(), g.backups()[0]
		b.must("first")
		g.lost = func(m letter, x vsr.Message) bool { _, ok := x.(*vsr.Part); return ok && m.from == b.i }
		c := b.propose(largeBody)
		g.pass(heartbeat)
		require.True(t, b.shell.Loop.parts.out[p.i].busy())
		p.cut = true
		g.until("another leads", func() bool { return b.state.Primary >= 0 && b.state.Primary != p.i })
		g.run()
		assert.False(t, b.shell.Loop.parts.out[p.i].busy())
		g.lost = nil
		g.until("it is applied", func() bool { return c.ended > 0 })
		assert.NoError(t, c.err)
	})
}

// C5: what the core sends again while the first copy is on its way is not sent twice.
func TestSameEntryIsSentOnce(t *testing.T) {
	entry := func(op vsr.OpNumber) []vsr.Entry { return []vsr.Entry{{View: 2, Op: op}} }
	prepare := func(v vsr.View, op, commit vsr.OpNumber) *vsr.Prepare {
		return &vsr.Prepare{View: v, Prev: vsr.Viewstamp{View: 2, Op: op - 1}, Commit: commit, Entries: entry(op)}
	}
	request := func(attempt, number uint64) *vsr.Request {
		return &vsr.Request{View: 2, Attempt: attempt, Requests: []vsr.Proposal{{Session: 3, Request: number}}}
	}
	state := func(v vsr.View) *vsr.NewState { return &vsr.NewState{View: v, Entries: entry(4)} }
	relay := func(to vsr.Index, m vsr.Message) *vsr.Relay { return &vsr.Relay{From: 1, To: to, Message: m} }
	same := []struct{ a, b vsr.Message }{
		{prepare(2, 4, 3), prepare(2, 4, 2)}, {request(1, 9), request(2, 9)}, {state(2), state(2)},
		{relay(2, request(1, 9)), relay(2, request(2, 9))},
	}
	for _, x := range same {
		assert.True(t, sameEntry(x.a, x.b), "%+v", x)
	}
	for _, x := range []struct{ a, b vsr.Message }{
		{prepare(2, 4, 3), prepare(3, 4, 3)}, {prepare(2, 4, 3), prepare(2, 5, 3)}, {request(1, 9), request(1, 8)},
		{state(2), state(3)}, {relay(2, request(1, 9)), relay(0, request(1, 9))}, {prepare(2, 4, 3), state(2)},
		{prepare(2, 4, 3), &vsr.Prepare{View: 2}}, {&vsr.Prepare{View: 2}, &vsr.Prepare{View: 2}},
	} {
		assert.False(t, sameEntry(x.a, x.b), "%+v", x)
	}
	o := outParts{parts: &parts{size: testPart}}
	for _, x := range same {
		o.add(Packet{Message: x.a, Bytes: make([]byte, 2000)})
		o.add(Packet{Message: x.b, Bytes: make([]byte, 2000)})
	}
	assert.Len(t, o.waiting, len(same))
	assert.EqualValues(t, 2000*len(same), o.bytes)
	o.add(Packet{Message: prepare(2, 99, 0), Bytes: make([]byte, maxWaiting-2000*len(same)+1)})
	assert.Len(t, o.waiting, len(same), "more would exceed the limit")
}

// C5: answers to an earlier process, and to parts that were never sent, prove nothing.
func TestAnswersThatProveNothing(t *testing.T) {
	g := groupWithParts(t, 3)
	p, b := g.primary(), g.backups()[0]
	p.must("first")
	g.lost = func(m letter, x vsr.Message) bool {
		part, ok := x.(*vsr.Part)
		return ok && m.to == b.i && part.Number >= 20
	}
	p.propose(largeBody)
	o := &p.shell.Loop.parts.out[b.i]
	g.until("parts have arrived", func() bool { return o.arrived == 20 })
	require.Less(t, o.arrived, o.sentTo)
	start := p.shell.Loop.core.Header().Start
	p.shell.Loop.parts.acknowledged(b.i, &vsr.PartOK{Start: start - 1, Stream: o.stream, Arrived: 21})
	assert.EqualValues(t, 20, o.arrived)
	o.acknowledged(&vsr.PartOK{Stream: o.stream, Arrived: o.sentTo + 1}, g.now)
	assert.EqualValues(t, 20, o.arrived)
	p.shell.Loop.parts.acknowledged(b.i, &vsr.PartOK{Start: start, Stream: o.stream, Arrived: 21})
	assert.EqualValues(t, 21, o.arrived)

	o.flow.Sent(30, g.now)
	o.restart()
	assert.False(t, o.flow.Times(0, 1<<60), "a part of the next stream has the number of one that is timed")
}

// C5: a message that follows others to a member that has not answered takes their place.
func TestASilentMemberIsSentTheLatest(t *testing.T) {
	prepare := func(op vsr.OpNumber) Packet {
		return Packet{Message: &vsr.Prepare{View: 2, Entries: []vsr.Entry{{View: 2, Op: op}}}, Bytes: make([]byte, 2000)}
	}
	o := outParts{parts: &parts{size: testPart}}
	o.add(prepare(4))
	o.tries = 1
	o.add(prepare(5))
	require.Len(t, o.waiting, 1)
	assert.EqualValues(t, 5, o.waiting[0].Message.(*vsr.Prepare).Entries[0].Op)
	assert.True(t, o.dropped)
	assert.EqualValues(t, 2000, o.bytes)
}

// C5: what is kept is of the present view, or of none.
func TestMessagesOfPartsLeaveWithTheirView(t *testing.T) {
	o := outParts{parts: &parts{size: testPart}}
	for _, v := range []vsr.View{2, 3} {
		for i, m := range []vsr.Message{&vsr.Prepare{View: v}, &vsr.NewState{View: v}, &vsr.Request{View: v}, &vsr.Relay{Message: &vsr.Request{View: v}}} {
			o.add(Packet{Message: m, Bytes: make([]byte, 10+i)})
		}
	}
	o.add(Packet{Message: &vsr.Relay{Message: &vsr.SnapshotChunk{}}, Bytes: make([]byte, 10)})
	o.leave(2)
	require.Len(t, o.waiting, 9)
	o.leave(3)
	require.Len(t, o.waiting, 5)
	o.leave(4)
	require.Len(t, o.waiting, 1)
	assert.EqualValues(t, 10, o.bytes)
}

// Section 2: a member answers parts once its start number is durable: another process may have had the number before.
// Parts that no others follow are not kept (11.10).
func TestAMemberThatStartsAnswersNoParts(t *testing.T) {
	g := groupWithParts(t, 3)
	p, b := g.primary(), g.backups()[0]
	p.must("first")
	came, answers := 0, 0
	g.lost = func(m letter, x vsr.Message) bool {
		switch x.(type) {
		case *vsr.Part:
			if m.to == b.i {
				came++
			}
		case *vsr.PartOK:
			if m.from == b.i {
				answers++
			}
		}
		return false
	}
	g.restart(int(b.i))
	b.held.writer = true
	p.propose(largeBody)
	g.pass(3 * heartbeat)
	require.NotZero(t, came)
	assert.Zero(t, answers)
	b.held.writer = false
	g.pass(heartbeat)
	assert.NotZero(t, answers)

	p.cut = true
	g.pass(heartbeat)
	in := &b.shell.Loop.parts.in[p.i]
	in.take(&vsr.Header{Incarnation: in.incarnation, Start: in.start}, &vsr.Part{Stream: in.stream, Number: in.arrived, Data: []byte("x")}, g.now)
	require.NotZero(t, in.held)
	g.pass(incompleteLapse + 2*time.Second)
	assert.Zero(t, in.held)
}

// C5: parts are put together in the order of their numbers, whatever the order in which they come, once.
func TestStreamsOfParts(t *testing.T) {
	var x inParts
	now := time.Unix(1, 0)
	h := vsr.Header{Start: 5}
	take := func(stream, number uint64, last bool, data string) (whole []string) {
		for _, b := range x.take(&h, &vsr.Part{Stream: stream, Number: number, Last: last, Data: []byte(data)}, now) {
			whole = append(whole, string(b))
		}
		return whole
	}
	answers := func(stream, arrived uint64) {
		t.Helper()
		assert.Equal(t, &vsr.PartOK{Start: h.Start, Stream: stream, Arrived: arrived}, x.answer())
	}
	assert.Empty(t, take(1, 1, true, "b"))
	answers(1, 0)
	assert.Empty(t, take(1, 3, true, "d"))
	assert.Equal(t, []string{"ab"}, take(1, 0, false, "a"))
	answers(1, 2)
	assert.Empty(t, take(1, 0, false, "a"), "a copy")
	assert.Equal(t, []string{"cd"}, take(1, 2, false, "c"))
	answers(1, 4)
	assert.Empty(t, take(1, 4, false, "e"))
	assert.Empty(t, take(2, 0, false, "x"), "a new stream begins with a message")
	answers(2, 1)
	x.due = false
	assert.Empty(t, take(1, 5, true, "f"), "the old stream is over")
	assert.False(t, x.due)
	assert.Equal(t, []string{"xy"}, take(2, 1, true, "y"))
	h.Start = 4
	assert.Empty(t, take(3, 0, true, "late"), "a process that is gone")
	h.Start = 6
	assert.Equal(t, []string{"new"}, take(1, 0, true, "new"), "the sender has restarted")
	h.Start, h.Incarnation = 1, vsr.Incarnation{1}
	assert.Equal(t, []string{"other"}, take(1, 0, true, "other"), "another memory counts its starts anew")

	assert.Empty(t, take(1, 1, false, "half"))
	now = now.Add(incompleteLapse + 1)
	x.expire(now)
	assert.Zero(t, x.held)
	assert.Empty(t, take(1, 2, true, "rest"))
	answers(1, 0)
}

// 11.10: a sender that does not follow the protocol fills the memory no further than its limits.
func TestPartsAreLimited(t *testing.T) {
	var x inParts
	data := make([]byte, 1<<20)
	for i := range uint64(100) {
		x.take(&vsr.Header{}, &vsr.Part{Stream: 1, Number: i + 1, Data: data}, time.Unix(1, 0))
	}
	assert.EqualValues(t, vsr.MaxInFlight, x.earlyBytes)
	for i := range uint64(100) {
		x.take(&vsr.Header{}, &vsr.Part{Stream: 2, Number: i, Data: data}, time.Unix(1, 0))
	}
	assert.LessOrEqual(t, x.held, wire.MaxMessage)
	assert.Greater(t, x.held, wire.MaxMessage-1<<20)
}

// C5: parts in flight halve with each loss, and grow again by one with each answer that is timed.
func TestLossesNarrowTheStream(t *testing.T) {
	g := groupWithParts(t, 3)
	p, b := g.primary(), g.backups()[0]
	p.must("first")
	p.must(largeBody)
	g.until("b has it", func() bool { return len(b.user.items) == 2 })
	o := &p.shell.Loop.parts.out[b.i]
	wide := o.most
	g.lost = func(m letter, x vsr.Message) bool {
		part, ok := x.(*vsr.Part)
		return ok && m.to == b.i && part.Number%50 == 49 && g.nodes[m.to].turns%7 > 0
	}
	p.must(largeBody)
	g.until("b has it", func() bool { return len(b.user.items) == 3 })
	assert.Less(t, o.most, wide)
	narrow := o.most
	g.lost = nil
	p.must(largeBody)
	g.until("b has it", func() bool { return len(b.user.items) == 4 })
	assert.Greater(t, o.most, narrow)
}
