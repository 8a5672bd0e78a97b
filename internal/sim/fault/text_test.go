package fault

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An amount is written in the words of its kind, and read back.
func TestFaultsInWords(t *testing.T) {
	for text, want := range map[string]Fault{
		"at 1s split of a,c for 2s":                      {Kind: Split, N: 5},
		"at 1s bridge b for 2s of a":                     {Kind: Bridge, Host: 1, N: 1},
		"at 1s slow-link a b for 2s by 20ms":             {Kind: SlowLink, To: 1, N: 20e6},
		"at 1s clock-jump b for 2s by -1h0m0.000000001s": {Kind: ClockJump, Host: 1, N: -3600e9 - 1},
		"at 1s lossy-link b a for 2s losing 250/1000":    {Kind: LossyLink, Host: 1, N: 250},
		"at 1s fail-sync b for 2s n 3":                   {Kind: FailSync, Host: 1, N: 3},
	} {
		want.At, want.For = time.Second, 2*time.Second
		got, err := Parse(text)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		again, err := Parse(got.String())
		require.NoError(t, err)
		assert.Equal(t, want, again, got.String())
	}
	kept, err := Parse("at 1s split for 2s n 5")
	require.NoError(t, err, "schedules of before have numbers only")
	assert.Equal(t, "at 1s split of a,c for 2s", kept.String())
	for text, wrong := range map[string]string{
		"at 1s split of a,bob":           `there is no replica "bob": a replica is a letter: write split of a,c`,
		"at 1s split of":                 `one side is missing: write split of a,c`,
		"at 1s split of a c":             `"c" is not one of for, of, by, losing, n and seed: write split of a,c`,
		"at 1s cut a":                    "a replica is missing: write cut a b",
		"at 1s bridge":                   "a replica is missing: write bridge b of a",
		"at 1s slow-disk a by 30":        `missing unit in duration "30": write slow-disk a by 20ms`,
		"at 1s pause a for":              "a duration is missing: write pause a for 5s",
		"at 1s lossy-link a b losing 25": `"25" is not a part of 1,000: write lossy-link a b losing 250/1000`,
		"at 1s":                          "the kind of fault is missing",
		"at 1s slowdisk a":               `"slowdisk" is not a kind of fault: the kinds are crash, power-cut, `,
		"from 1s after a stored 1: ring": `"stored" is not a moment: the moments are sent, received, `,
	} {
		_, err := Parse(text)
		assert.ErrorContains(t, err, wrong)
	}
}
