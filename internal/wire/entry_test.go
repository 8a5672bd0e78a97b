package wire

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

func TestEntriesComeBackAsTheyWere(t *testing.T) {
	for seed := range uint64(1000) {
		r := newRandom(seed)
		want := r.entry(vsr.Viewstamp{Epoch: vsr.Epoch(r.num() + 1), View: vsr.View(r.num()), Op: vsr.OpNumber(r.num() + 1)}, -int64(r.num()))
		b := AppendEntry([]byte("before"), &want)
		require.Len(t, b, len("before")+EntryOverhead+len(want.Body))
		got, rest, err := DecodeEntry(append(b, "after"...)[len("before"):])
		require.NoError(t, err, "seed %d", seed)
		require.Equal(t, want, got, "seed %d", seed)
		require.Equal(t, "after", string(rest), "seed %d", seed)
	}
}

func TestEntriesKeepExtremeNumbers(t *testing.T) {
	want := vsr.Entry{Op: math.MaxUint64, View: math.MaxUint64, Epoch: math.MaxUint64, Time: math.MinInt64,
		Session: math.MaxUint64 - 1, Request: math.MaxUint64, Floor: math.MaxUint64, Kind: vsr.Command}
	got, rest, err := DecodeEntry(AppendEntry(nil, &want))
	require.NoError(t, err)
	assert.Equal(t, want, got)
	assert.Empty(t, rest)
}

func TestEmptyBodyIsNil(t *testing.T) {
	e, _, err := DecodeEntry(AppendEntry(nil, &vsr.Entry{Op: 2, Epoch: 1, Kind: vsr.Command, Body: []byte{}}))
	require.NoError(t, err)
	assert.Nil(t, e.Body)
}

func TestCutEntriesAreRefused(t *testing.T) {
	b := AppendEntry(nil, &vsr.Entry{Op: 2, Epoch: 1, Kind: vsr.Command, Body: []byte("body")})
	for n := range b {
		e, rest, err := DecodeEntry(b[:n])
		require.Error(t, err, "cut to %d bytes", n)
		require.Zero(t, e)
		require.Nil(t, rest)
	}
}

func TestZerosAreNoEntry(t *testing.T) {
	_, _, err := DecodeEntry(make([]byte, 4096)) // F3
	assert.ErrorContains(t, err, "ops and epochs begin at 1")
}

func TestBodyOfAnEntryIsNotCopied(t *testing.T) {
	b := append(AppendEntry(nil, &vsr.Entry{Op: 2, Epoch: 1, Kind: vsr.Command, Body: []byte("body")}), "next"...)
	e, rest, err := DecodeEntry(b)
	require.NoError(t, err)
	assert.Same(t, &b[EntryOverhead], &e.Body[0])
	_ = append(e.Body, "XXXX"...)
	assert.Equal(t, "next", string(rest), "an append to the body overwrote the bytes after it")
}

func TestEntryAllocations(t *testing.T) {
	e := vsr.Entry{Op: 2, Epoch: 1, Kind: vsr.Command, Body: bytes.Repeat([]byte("x"), 128)}
	b := AppendEntry(nil, &e)
	assert.Zero(t, testing.AllocsPerRun(100, func() { b = AppendEntry(b[:0], &e) }))
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _, _ = DecodeEntry(b) }))
}
