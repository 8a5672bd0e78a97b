package smr

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vsr"
)

// A header of a snapshot that does not parse is an ErrCorrupt.
func FuzzParseHeader(f *testing.F) {
	members := vsr.NewMembership([]vsr.Member{{ID: "a"}})
	f.Add((&frozen{clock: 5, members: members}).header())
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := parseHeader(snap.Info{Header: b}); err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
		}
	})
}
