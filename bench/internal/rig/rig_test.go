package rig

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A quantile of a histogram agrees with that of the sorted times to one part in 64.
func TestHistogramAgreesWithSorting(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var times []time.Duration
	var parts [3]Histogram
	for range 10_000 {
		d := time.Duration(r.Uint64() >> (24 + r.IntN(40))) // of all lengths up to 40 bits
		times = append(times, d)
		parts[r.IntN(len(parts))].Add(d)
	}
	var all Histogram
	for i := range parts {
		all.Merge(&parts[i])
	}
	require.EqualValues(t, len(times), all.Total())
	for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 1} {
		want := Quantile(times, q)
		assert.InDelta(t, want, all.Quantile(q), float64(want)/64, "quantile %v", q)
	}
}

func TestHistogramBounds(t *testing.T) {
	var h Histogram
	assert.Zero(t, h.Quantile(0.5), "empty")
	h.Add(-time.Second)
	assert.Zero(t, h.Quantile(1), "a clock that was set back")
	h.Add(24 * time.Hour)
	assert.InDelta(t, 1<<longest, h.Quantile(1), 1<<longest/64, "the longest time distinguished")
	assert.Zero(t, testing.AllocsPerRun(100, func() { h.Add(time.Millisecond) }))
}

// Each bucket begins where the previous one ends.
func TestBucketsAreInOrder(t *testing.T) {
	for i := range buckets {
		require.Equal(t, i, bucket(lowest(i)))
		if i > 0 {
			require.Equal(t, i-1, bucket(lowest(i)-1))
		}
	}
}

func TestQuantileIsTheNearestRank(t *testing.T) {
	values := []int{30, 10, 50, 20, 40}
	assert.Equal(t, 10, Quantile(values, 0))
	assert.Equal(t, 10, Quantile(values, 0.2))
	assert.Equal(t, 30, Quantile(values, 0.5))
	assert.Equal(t, 50, Quantile(values, 0.9))
	assert.Equal(t, []int{30, 10, 50, 20, 40}, values)
}

func TestWriting(t *testing.T) {
	assert.Equal(t, "1,234 (12–1,000,000)", Spread([]float64{1e6, 12, 1234}, Count))
	assert.Equal(t, "999", Spread([]float64{999}, Count))
	assert.Equal(t, "-123", Count(-123))
	assert.Equal(t, "12.3ms", Short(12_345_678*time.Nanosecond))
	assert.Equal(t, "1ms", Short(999_999*time.Nanosecond))
	assert.Equal(t, "999ns", Short(999))
}

func TestTable(t *testing.T) {
	table := Table{{"a", "b–c"}}
	table.Add("long", "")
	var b bytes.Buffer
	_, err := table.WriteTo(&b)
	require.NoError(t, err)
	assert.Equal(t, "| a    | b–c |\n|------|-----|\n| long |     |\n", b.String())
}
