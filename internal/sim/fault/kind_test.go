package fault

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every kind has a row, and its faults are read back as they were written.
func TestEveryKindHasARow(t *testing.T) {
	names := map[string]bool{}
	for kind := none + 1; kind < Kinds; kind++ {
		require.NotEmpty(t, kind.String(), "kind %d", kind)
		assert.False(t, names[kind.String()], "two kinds are called %v", kind)
		names[kind.String()] = true
		assert.NotZero(t, kind.Class(), kind)
		for _, simpler := range kind.row().simpler {
			assert.Equal(t, kind.NamesLink(), simpler.NamesLink(), "%v may do instead of %v", simpler, kind)
		}
		f := Fault{At: 5, Kind: kind, N: 3, For: 7, Seed: 9, After: &Trigger{When: Alone, Nth: 2}}
		if kind.NamesTwo() {
			f.To = 1
		}
		read, err := Parse(f.String())
		require.NoError(t, err)
		assert.Equal(t, f, read)
		example, err := Parse("at 0s " + kind.form())
		require.NoError(t, err, "the form in which errors show the kind")
		assert.NoError(t, example.Check(2), kind)
	}
}

// A budget of one allows one member to lose its memory, any number of times.
func TestBudget(t *testing.T) {
	b := Budget{Spare: 1}
	assert.False(t, b.Allows(2, false), "the group is not confirmed")
	b.Spend(2, true)
	b.Spend(2, true)
	assert.False(t, b.Overdrawn)
	assert.False(t, b.Allows(0, true))
	b.Spend(0, true)
	assert.True(t, b.Overdrawn)
}

// The error of a fault that a test cannot intend has the wrong value.
func TestSensible(t *testing.T) {
	for line, wrong := range map[string]string{
		"split of a":                "",
		"split of a,b,c":            "some of the replicas a to c",
		"split of a,d":              `there is no replica "d": the group has a, b and c`,
		"bridge a":                  "some of the replicas a to c",
		"slow-disk a by -1s":        "by -1s is negative",
		"clock-jump a by -1s":       "",
		"lossy-link a b n 1001":     "not 1001/1000",
		"crash-in a":                "n must be 1",
		"suspend a":                 "give a time",
		"hand-over a any for 500ms": "",
	} {
		f, err := Parse("at 0s " + line)
		require.NoError(t, err)
		if err = f.Sensible(3); wrong == "" {
			assert.NoError(t, err, line)
		} else {
			assert.ErrorContains(t, err, wrong, line)
		}
	}
}
