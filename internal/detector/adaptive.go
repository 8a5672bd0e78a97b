package detector

import (
	"math"
	"time"
)

const shortestTrust = 250 * time.Millisecond // NewAdaptive's default min: five heartbeats

// Adaptive is a detector of the phi accrual family (Hayashibara et al. 2004): it trusts a silent primary
// for the mean of past silences plus a number of deviations. Unlike theirs it does not learn from every
// gap between two messages. A busy primary sends thousands of messages between two heartbeats; if those
// gaps counted, its first idle moment would look like a failure. So gaps much shorter than a heartbeat
// are ignored.
type Adaptive struct {
	min, max, caution time.Duration // min <= caution <= max

	last     time.Time // of Heard or Reset
	heard    bool      // Heard was called since the last Reset
	first    time.Time // of the first Heard since the last Reset
	silences int       // number learned since the last Reset, at most memory
	mean     float64   // of the silences, in ns; <= max
	variance float64   // in ns²
}

const (
	shortGap = 8   // gaps below min/shortGap are not silences; by default 31 ms, less than a heartbeat
	memory   = 128 // silences: six seconds of heartbeats

	// The mean of an idle primary is one heartbeat, so three means tolerate the loss of two heartbeats
	// in a row, even without any deviation. With normally distributed jitter, six deviations are a phi
	// of 9.
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

// Default returns the detector of a group with that heartbeat whose configuration names none.
func Default(heartbeat time.Duration) *Adaptive { return NewAdaptive(5*heartbeat, 40*heartbeat) }

// Max returns the longest time for which d trusts a silent primary.
func (d *Adaptive) Max() time.Duration { return d.max }

// IdleHeartbeat returns the interval to which heartbeats may slow down while a group is idle. Only an adaptive
// detector learns the slower rhythm, and both the detector's longest trust and the time after which a primary without
// a quorum abdicates must leave room for several heartbeats. For any other detector it is heartbeat.
func IdleHeartbeat(detector any, heartbeat, abdication time.Duration) time.Duration {
	if d, ok := detector.(*Adaptive); ok {
		return min(4*heartbeat, abdication/4, d.Max()/4)
	}
	return heartbeat
}

// Reset implements smr.Detector.
func (d *Adaptive) Reset(now time.Time) {
	*d = Adaptive{min: d.min, max: d.max, caution: d.caution, last: now}
}

// Heard implements smr.Detector.
func (d *Adaptive) Heard(now time.Time) {
	gap := now.Sub(d.last)
	d.last = now
	if !d.heard {
		d.heard, d.first = true, now // the gap between Reset and the first message is not a silence of the primary
		return
	}
	if gap >= d.min/shortGap {
		d.learn(float64(min(gap, d.max)))
	}
}

// learn adds a silence, in ns, to the mean and the variance. All silences have the same weight until there
// are more than memory of them; then the weight of old ones decays.
func (d *Adaptive) learn(silence float64) {
	d.silences = min(d.silences+1, memory)
	weight := 1 / float64(d.silences)
	off := silence - d.mean
	step := float64(weight * off) // the conversion rounds, so that machines with fused multiply-add get the same result
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

// clamp returns ns nanoseconds, limited to [min, max].
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
