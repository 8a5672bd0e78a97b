package rig

import (
	"math/bits"
	"time"
)

// Histogram counts times, each to one part in 64, in memory that it has from the start: adding
// costs no allocation that would be taken for one of what is measured. The zero value is empty.
type Histogram struct {
	counts [buckets]uint32
	total  uint64 // the sum of counts
}

const (
	fine    = 6  // bits of a time that are kept
	longest = 40 // bits of the longest time told apart, 18 minutes
	buckets = (longest - fine + 1) << fine
)

// Add counts a time.
func (h *Histogram) Add(d time.Duration) {
	h.counts[bucket(uint64(max(d, 0)))]++
	h.total++
}

// Merge adds what another histogram has counted.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
}

// Total returns how many times were counted.
func (h *Histogram) Total() uint64 { return h.total }

// Quantile returns the time that the share q of those counted does not exceed; 0 if there is none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank, seen := uint64(q*float64(h.total)), uint64(0)
	for i, n := range h.counts {
		if seen += uint64(n); n > 0 && seen >= rank {
			return time.Duration(lowest(i))
		}
	}
	return 0
}

// bucket returns where a time is counted. Below 1<<fine each has a bucket of its own; above, so do
// the first bits of those of the same length.
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
