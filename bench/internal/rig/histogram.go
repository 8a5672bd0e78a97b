package rig

import (
	"math/bits"
	"time"
)

// Histogram counts times with a precision of one part in 64. Its memory is allocated in advance, so
// that Add does not distort a count of allocations. The zero value is empty.
type Histogram struct {
	counts [buckets]uint32
	total  uint64 // sum of counts
}

const (
	fine    = 6  // number of bits distinguished after a time's leading bit
	longest = 40 // number of bits of the longest time distinguished, 18 minutes
	buckets = (longest - fine + 1) << fine
)

// Add counts a time.
func (h *Histogram) Add(d time.Duration) {
	h.counts[bucket(uint64(max(d, 0)))]++
	h.total++
}

// Merge adds the counts of another histogram.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
}

// Total returns the number of times counted.
func (h *Histogram) Total() uint64 { return h.total }

// Quantile returns the time that a share q of the counted times does not exceed, or 0 if the
// histogram is empty.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank, seen := uint64(q*float64(h.total)), uint64(0)
	for i, n := range h.counts {
		if seen += uint64(n); n > 0 && seen >= rank {
			return time.Duration(lowest(i))
		}
	}
	return 0
}

// bucket returns the bucket of a time. A time below 2<<fine has its own bucket; above, times of the
// same bit length share a bucket if their first fine+1 bits agree.
func bucket(ns uint64) int {
	ns = min(ns, 1<<longest-1)
	shift := max(bits.Len64(ns)-fine-1, 0)
	return shift<<fine + int(ns>>shift)
}

// lowest returns the shortest time that is counted in a bucket.
func lowest(bucket int) uint64 {
	shift := max(bucket>>fine-1, 0)
	return uint64(bucket-shift<<fine) << shift
}
