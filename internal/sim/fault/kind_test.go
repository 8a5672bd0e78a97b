package fault

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every kind has a row of its own, and its faults are read as they are written.
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
	}
}

// A budget of one allows one member to lose its memory, as often as it likes.
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
