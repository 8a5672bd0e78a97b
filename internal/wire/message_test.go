package wire

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

func encode(h vsr.Header, m vsr.Message) []byte { return AppendMessage(nil, testTag, h, m) }

// seal returns b with the right checksum appended.
func seal(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b[:len(b):len(b)], crc32.Checksum(b, castagnoli))
}

// unsealed returns the encoding of m without its checksum, to be changed and sealed.
func unsealed(m vsr.Message) []byte {
	b := encode(testHeader, m)
	return b[:len(b)-checksumSize]
}

func TestMessagesComeBackAsTheyWere(t *testing.T) {
	for i, want := range samples() {
		t.Run(vsr.KindOf(want).String(), func(t *testing.T) {
			require.Equal(t, vsr.MessageKind(i+1), vsr.KindOf(want))
			h, got, err := DecodeMessage(encode(testHeader, want), testTag)
			require.NoError(t, err)
			assert.Equal(t, testHeader, h)
			assert.Equal(t, want, got)
			assert.Equal(t, samples()[i], want, "encoding changed the message")
		})
	}
}

func TestRandomMessagesComeBackAsTheyWere(t *testing.T) {
	for k := vsr.MessageKind(1); k <= vsr.LastKind; k++ {
		for seed := range uint64(300) {
			wantHeader, want := newRandom(seed).message(k)
			h, got, err := DecodeMessage(encode(wantHeader, want), testTag)
			require.NoError(t, err, "kind %d seed %d", k, seed)
			require.Equal(t, wantHeader, h, "kind %d seed %d", k, seed)
			require.Equal(t, want, got, "kind %d seed %d", k, seed)
		}
	}
}

func TestEncodingAppends(t *testing.T) {
	for _, m := range samples() {
		whole := AppendMessage([]byte("before"), testTag, testHeader, m)
		assert.Equal(t, "before", string(whole[:6]))
		assert.Equal(t, encode(testHeader, m), whole[6:])
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	for _, m := range samples() {
		b := encode(testHeader, m)
		for n := range b {
			_, _, err := DecodeMessage(b[:n], testTag)
			require.Error(t, err, "%s cut to %d of %d bytes", vsr.KindOf(m), n, len(b))
		}
	}
}

func TestEveryFlippedBitIsRefused(t *testing.T) {
	for _, m := range samples() {
		b := encode(testHeader, m)
		for bit := range 8 * len(b) {
			b[bit/8] ^= 1 << (bit % 8)
			_, _, err := DecodeMessage(b, testTag)
			require.ErrorContains(t, err, "checksum", "%s, bit %d", vsr.KindOf(m), bit)
			b[bit/8] ^= 1 << (bit % 8)
		}
	}
}

func TestTruncationsWithAFittingChecksumAreRefused(t *testing.T) {
	for _, m := range samples() {
		b := unsealed(m)
		for n := range b {
			_, _, err := DecodeMessage(seal(b[:n]), testTag)
			require.Error(t, err, "%s cut to %d of %d bytes", vsr.KindOf(m), n, len(b))
		}
	}
}

func TestBytesTooManyAreRefused(t *testing.T) {
	for _, m := range samples() {
		_, _, err := DecodeMessage(seal(append(unsealed(m), 0)), testTag)
		assert.ErrorContains(t, err, vsr.KindOf(m).String()+": 1 bytes too many")
	}
}

func TestEnvelopeThatDoesNotFitIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(b []byte)
		want   string
	}{
		"another version":  {func(b []byte) { b[0] = version + 1 }, "format version 11, not 10: the sender runs another release"},
		"no kind":          {func(b []byte) { b[1] = 0 }, "unknown kind 0"},
		"unknown kind":     {func(b []byte) { b[1] = byte(vsr.LastKind) + 1 }, "unknown kind 23"},
		"another group":    {func(b []byte) { b[2] ^= 1 }, "Config.Group differs"},
		"flag neither way": {func(b []byte) { b[len(b)-1] = 2 }, "Reply: flag is 2, not 0 or 1"},
	} {
		t.Run(name, func(t *testing.T) {
			b := unsealed(&vsr.Reply{View: 4})
			c.change(b)
			_, _, err := DecodeMessage(seal(b), testTag)
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestTagsDiffer(t *testing.T) {
	_, _, err := DecodeMessage(encode(testHeader, &vsr.Outdated{}), TagOf("other"))
	assert.ErrorContains(t, err, "for the group with tag "+testTag.String()+", not "+TagOf("other").String())
}

func TestCountsBeyondTheMessageAreRefusedBeforeMemoryIsTaken(t *testing.T) {
	for _, m := range []vsr.Message{&vsr.Prepare{}, &vsr.NewState{}, &vsr.Request{}} {
		b := unsealed(m) // ends with the count
		binary.LittleEndian.PutUint32(b[len(b)-4:], math.MaxUint32)
		_, _, err := DecodeMessage(seal(b), testTag)
		assert.ErrorContains(t, err, "count is 4294967295, more than fit into 0 bytes", vsr.KindOf(m))
	}
}

func TestLengthsBeyondTheMessageAreRefused(t *testing.T) {
	for _, m := range []vsr.Message{
		&vsr.Question{}, &vsr.Answer{}, &vsr.SnapshotChunk{Snapshot: vsr.SnapshotID{Last: vsr.Viewstamp{Epoch: 1, Op: 1}}},
		&vsr.Prepare{Entries: make([]vsr.Entry, 1)}, &vsr.Request{Requests: make([]vsr.Proposal, 1)},
	} {
		b := unsealed(m)
		binary.LittleEndian.PutUint32(b[len(b)-4:], math.MaxUint32)
		_, _, err := DecodeMessage(seal(b), testTag)
		assert.Error(t, err, vsr.KindOf(m))
	}
}

func TestBodiesAreNotCopiedAndEndWhereTheyEnd(t *testing.T) {
	for _, c := range []struct {
		m    vsr.Message
		body func(m vsr.Message) []byte
	}{
		{samples()[vsr.KindPrepare-1], func(m vsr.Message) []byte { return m.(*vsr.Prepare).Entries[1].Body }},
		{samples()[vsr.KindNewState-1], func(m vsr.Message) []byte { return m.(*vsr.NewState).Entries[1].Body }},
		{samples()[vsr.KindRequest-1], func(m vsr.Message) []byte { return m.(*vsr.Request).Requests[1].Body }},
		{samples()[vsr.KindSnapshotChunk-1], func(m vsr.Message) []byte { return m.(*vsr.SnapshotChunk).Data }},
	} {
		b := encode(testHeader, c.m)
		_, m, err := DecodeMessage(b, testTag)
		require.NoError(t, err)
		body := c.body(m)
		assert.Equal(t, len(body), cap(body), vsr.KindOf(m))
		assert.Same(t, &b[len(b)-checksumSize-len(body)], &body[0], vsr.KindOf(m))
	}
}

func TestMessageOverheadHolds(t *testing.T) {
	most := 0
	for k := vsr.MessageKind(1); k <= vsr.LastKind; k++ {
		m := k.New()
		if relay, ok := m.(*vsr.Relay); ok {
			relay.Message = &vsr.PrepareOK{}
			assert.Len(t, encode(testHeader, m), len(encode(testHeader, relay.Message))+RelayOverhead)
			continue
		}
		size := len(encode(testHeader, m))
		if offer, ok := m.(*vsr.SnapshotOffer); ok {
			size -= len(offer.Snapshot.Members.Encode())
		}
		most = max(most, size)
	}
	assert.Equal(t, MessageOverhead, most)
}

func TestAllocations(t *testing.T) {
	p := batch(256, 128)
	buffer := encode(testHeader, p)
	assert.Zero(t, testing.AllocsPerRun(100, func() { buffer = AppendMessage(buffer[:0], testTag, testHeader, p) }),
		"encoding into a reused buffer")
	assert.Equal(t, 1.0, testing.AllocsPerRun(100, func() { AppendMessage(make([]byte, 0, MaxSize(p)), testTag, testHeader, p) }),
		"encoding into a new buffer: MaxSize is sufficient")
	assert.Equal(t, 2.0, testing.AllocsPerRun(100, func() { _, _, _ = DecodeMessage(buffer, testTag) }),
		"decoding: the message and its entries")
	beat := samples()[vsr.KindCommit-1]
	assert.Zero(t, testing.AllocsPerRun(100, func() { buffer = AppendMessage(buffer[:0], testTag, testHeader, beat) }),
		"encoding a heartbeat into a reused buffer")
	ok := encode(testHeader, &vsr.PrepareOK{View: 4, Op: 12})
	assert.Equal(t, 1.0, testing.AllocsPerRun(100, func() { _, _, _ = DecodeMessage(ok, testTag) }),
		"decoding: the message")
}

// N3. Whatever a member may send fits into a message of the limit: one entry or request with the largest body, or several
// up to MaxBatch.
func TestLargestMessages(t *testing.T) {
	request := func(n, size int) *vsr.Request {
		m := &vsr.Request{Requests: make([]vsr.Proposal, n)}
		for i := range m.Requests {
			m.Requests[i] = vsr.Proposal{Session: 5, Request: uint64(i + 1), Kind: vsr.Command, Body: make([]byte, size)}
		}
		return m
	}
	for _, m := range []vsr.Message{
		batch(1, vsr.MaxBody), request(1, vsr.MaxBody), batch(vsr.MaxBatch/64, 0), request(vsr.MaxBatch/64, 0),
		&vsr.NewState{View: 4, Best: vsr.Viewstamp{Epoch: 3, View: 4, Op: 2000}, Prev: batch(1, 0).Prev, Entries: batch(1, vsr.MaxBody).Entries},
	} {
		b := encode(testHeader, m)
		assert.LessOrEqual(t, len(b), MaxMessage, vsr.KindOf(m))
		_, got, err := DecodeMessage(b, testTag)
		require.NoError(t, err)
		assert.Equal(t, vsr.KindOf(m), vsr.KindOf(got))
	}
}
