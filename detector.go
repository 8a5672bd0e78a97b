package smr

import (
	"time"

	"github.com/smr-go/smr/internal/detector"
)

// Detector decides how long a backup trusts a silent primary. When the time is over, the backup votes
// for a view change. A Detector is a function of the times that it is given: it must not read a clock,
// start goroutines or block. One replica uses it, one call at a time, with times that never decrease.
// A bad decision costs availability, never safety. An implementation can be tested with
// smrtest/conform.TestDetector.
type Detector interface {
	// Reset forgets everything heard so far. The replica calls it for a new primary, and after a
	// pause of its own that makes silences meaningless.
	Reset(now time.Time)
	// Heard records that a message of the primary arrived.
	Heard(now time.Time)
	// Deadline returns the time until which the primary is trusted if nothing more is heard. It
	// changes nothing.
	Deadline() time.Time
}

// NewFixedDetector returns a Detector that trusts a silent primary for timeout, which should be
// several times Config.Heartbeat. Zero or negative: 500 ms.
func NewFixedDetector(timeout time.Duration) Detector { return detector.NewFixed(timeout) }

// NewAdaptiveDetector returns a Detector that learns how long the primary's silences are, and trusts
// it for at least min and at most max. After a Reset it trusts the primary for at least three times
// min, up to max, until it has listened for that long. min should be several times Config.Heartbeat.
//
// Zero or negative: 250 ms for min, or max if that is less; 8 times min for max. A max below min
// counts as min.
func NewAdaptiveDetector(min, max time.Duration) Detector { return detector.NewAdaptive(min, max) }
