// Package detector holds the two detectors of a silent primary (D1), which smr.NewFixedDetector and
// smr.NewAdaptiveDetector return. Their methods are those of smr.Detector.
package detector

import "time"

const fixedTrust = 500 * time.Millisecond // NewFixed's default

// Fixed trusts a silent primary for a fixed time.
type Fixed struct {
	timeout time.Duration
	last    time.Time // of Heard or Reset
}

// NewFixed is smr.NewFixedDetector.
func NewFixed(timeout time.Duration) *Fixed {
	if timeout <= 0 {
		timeout = fixedTrust
	}
	return &Fixed{timeout: timeout}
}

// Reset implements smr.Detector.
func (d *Fixed) Reset(now time.Time) { d.last = now }

// Heard implements smr.Detector.
func (d *Fixed) Heard(now time.Time) { d.last = now }

// Deadline implements smr.Detector.
func (d *Fixed) Deadline() time.Time { return d.last.Add(d.timeout) }
