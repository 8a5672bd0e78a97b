package wire

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

// FuzzDecodeMessage replaces the checksum of each input by the right one, so that the code behind
// it is reached. An accepted message has exactly one encoding, the input. (An offer may have
// several, because its member list contains numbers of variable length; they must decode to the
// same message.)
func FuzzDecodeMessage(f *testing.F) {
	for _, m := range samples() {
		f.Add(unsealed(m))
	}
	for k := vsr.MessageKind(1); k <= vsr.LastKind; k++ {
		h, m := newRandom(uint64(k)).message(k)
		b := encode(h, m)
		f.Add(b[:len(b)-checksumSize])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _, _ = DecodeMessage(b, testTag)
		sealed := seal(b)
		h, m, err := DecodeMessage(sealed, testTag)
		if err != nil {
			assert.Nil(t, m)
			return
		}
		again := encode(h, m)
		if vsr.KindOf(m) != vsr.KindSnapshotOffer {
			require.Equal(t, sealed, again)
		}
		h2, m2, err := DecodeMessage(again, testTag)
		require.NoError(t, err)
		require.Equal(t, h, h2)
		require.Equal(t, m, m2)
	})
}

func FuzzDecodeEntry(f *testing.F) {
	for seed := range uint64(8) {
		e := newRandom(seed).entry(vsr.Viewstamp{Epoch: 1, View: 2, Op: vsr.OpNumber(seed + 1)}, int64(seed))
		f.Add(AppendEntry(nil, &e))
		f.Add(append(AppendEntry(nil, &e), "rest"...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, rest, err := DecodeEntry(b)
		if err != nil {
			assert.Zero(t, e)
			return
		}
		require.Equal(t, b, append(AppendEntry(nil, &e), rest...))
	})
}
