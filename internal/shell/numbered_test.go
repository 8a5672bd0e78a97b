package shell

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNumberedAgainstAMap performs the same random steps on a list of numbered values and on a map.
func TestNumberedAgainstAMap(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		n, m, last := numbered[int]{}, map[uint64]*int{}, uint64(0)
		for range 2000 {
			switch rnd.IntN(5) {
			case 0, 1:
				last += 1 + rnd.Uint64N(50)/49 // sometimes a number is left out
				x := new(int)
				n.add(last, x)
				m[last] = x
			case 2: // the oldest, as nearly always
				if all := n.numbers(); len(all) > 0 {
					require.Same(t, m[all[0]], n.take(all[0]), "seed %d", seed)
					delete(m, all[0])
				}
			default:
				number := last - min(last, rnd.Uint64N(100))
				require.Equal(t, m[number], n.get(number), "seed %d", seed)
				require.True(t, m[number] == n.take(number), "seed %d: number %d", seed, number)
				delete(m, number)
			}
			require.Equal(t, len(m), n.count, "seed %d", seed)
			require.LessOrEqual(t, len(n.all), 2*n.count+64, "seed %d", seed)
		}
		require.Equal(t, slices.Sorted(maps.Keys(m)), slices.AppendSeq([]uint64(nil), slices.Values(n.numbers())), "seed %d", seed)
	}
}
