package detector

import (
	"math"
	"time"
)

const shortestTrust = 250 * time.Millisecond // NewAdaptive's default min: five heartbeats

// Adaptive is of the phi accrual family (Hayashibara et al. 2004): the trust is a number
// of deviations above the mean of the silences. What is a silence makes the difference from it:
// a busy primary is heard thousands of times between two heartbeats, and were those gaps learnt,
// its first idle moment would look like death. So short gaps teach nothing, neither up nor down.
type Adaptive struct {
	min, max, caution time.Duration // min <= caution <= max

	last     time.Time // heard, or reset
	heard    bool      // since the reset
	first    time.Time // when heard was set
	silences int       // learnt since the reset, counted up to memory
	mean     float64   // of the silences, in ns; <= max
	variance float64   // in ns²
}

const (
	shortGap = 8   // a gap below min/shortGap is no silence; 31 ms by default, below a heartbeat
	memory   = 128 // silences: six seconds of heartbeats

	// An idle primary is heard once a mean. Three of them forgive two heartbeats lost in a row,
	// even where no deviation was ever seen; six deviations are a phi of 9 where jitter is normal.
	trustMeans      = 3
	trustDeviations = 6
)

// NewAdaptive is smr.NewAdaptiveDetector.
func NewAdaptive(min, max time.Duration) *Adaptive {
	if min <= 0 {
		min = shortestTrust
		if max > 0 && max < min {
			min = max
		}
	}
	if max <= 0 {
		max = times(8, min)
	}
	if max < min {
		max = min
	}
	d := &Adaptive{min: min, max: max}
	d.caution = d.clamp(float64(times(3, min)))
	return d
}

// Max returns the longest time for which d trusts a silent primary.
func (d *Adaptive) Max() time.Duration { return d.max }

// Reset implements smr.Detector.
func (d *Adaptive) Reset(now time.Time) {
	*d = Adaptive{min: d.min, max: d.max, caution: d.caution, last: now}
}

// Heard implements smr.Detector.
func (d *Adaptive) Heard(now time.Time) {
	gap := now.Sub(d.last)
	d.last = now
	if !d.heard {
		d.heard, d.first = true, now // the gap before it is the reset's, not the primary's
		return
	}
	if gap >= d.min/shortGap {
		d.learn(float64(min(gap, d.max)))
	}
}

// learn takes a silence, in ns, into the mean and the variance: all weigh the same until memory is
// full, and older ones less and less from then on.
func (d *Adaptive) learn(silence float64) {
	d.silences = min(d.silences+1, memory)
	weight := 1 / float64(d.silences)
	off := silence - d.mean
	step := float64(weight * off) // rounded by the conversion: the same on machines that fuse
	d.mean += step
	d.variance = (1 - weight) * (d.variance + float64(step*off))
}

// Deadline implements smr.Detector.
func (d *Adaptive) Deadline() time.Time {
	trust := d.clamp(float64(trustMeans*d.mean) + float64(trustDeviations*math.Sqrt(d.variance)))
	if !d.heard || d.last.Sub(d.first) < d.caution {
		trust = max(trust, d.caution)
	}
	return d.last.Add(trust)
}

// clamp returns ns nanoseconds, or the nearer end of [min, max].
func (d *Adaptive) clamp(ns float64) time.Duration {
	switch {
	case ns >= float64(d.max):
		return d.max
	case ns <= float64(d.min):
		return d.min
	}
	return time.Duration(ns)
}

// times returns n times d, or the longest duration if that is too much.
func times(n, d time.Duration) time.Duration {
	if d > math.MaxInt64/n {
		return math.MaxInt64
	}
	return n * d
}
