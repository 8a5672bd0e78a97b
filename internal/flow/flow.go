// Package flow limits the bytes on their way to a member by the rate of its link, which it measures by the answers.
package flow

import "time"

// Flow measures the rate at which a member receives data, and limits the bytes in flight to it (C1, C2). It times one part
// after the other, from when the part is sent until its answer arrives. The bytes answered in that time are those that
// were in flight when it began, so bytes and time give the rate of the link, or of the member's disk if that is slower.
//
//	quick <= trip, unless quick was measured later
//	window <= Limit()
type Flow struct {
	most   int64 // limit of window; 0: MaxWindow
	window int64 // bytes that may be in flight; 0: nothing is measured yet
	taken  int64 // bytes answered
	rate   int64 // bytes a second; 0: nothing is measured yet

	timing bool      // a part is timed
	part   uint64    // which one
	since  time.Time // when it was sent
	before int64     // taken at that time

	trip    time.Duration // time that the latest part took; 0: nothing is measured yet
	quick   time.Duration // the shortest such time lately: what a part takes if the queues on the way are empty
	quickAt time.Time     // when it was measured
	gentle  int64         // if not 0: bytes of a part of a gentle flow
	settled bool          // a part of a gentle flow has waited behind others
	drains  bool          // the queues on the way are emptied for the next part, to measure quick
}

// Limits of flows.
const (
	firstWindow = 128 << 10 // bytes in flight until something is measured
	leastWindow = 8 << 10
	MaxWindow   = 16 << 20         // the widest window
	Slowest     = 32 << 10         // bytes a second that every link is expected to carry
	aheadFor    = 4                // heartbeats: with empty queues, a full window takes this time, or twice quick if that is longer
	queuedFor   = 2                // heartbeats that a part of a settled flow waits behind others
	longestTrip = 10 * time.Second // longer times count as this in windows and timeouts
	quickLapse  = 200              // heartbeats after which quick is measured again
)

// New returns a flow whose window has at most that many bytes, within the limits of this package.
func New(most int64) Flow { return Flow{most: min(max(most, leastWindow), MaxWindow)} }

// NewGentle returns a flow for many parts of part bytes each. Other messages must not wait behind them for long, so the
// window begins with one part. Once parts have waited behind others, the window leaves room for a short queue only.
func NewGentle(most, part int64) Flow {
	f := New(most)
	f.window, f.gentle = part, part
	return f
}

// Limit returns the widest window.
func (f *Flow) Limit() int64 {
	if f.most == 0 {
		return MaxWindow
	}
	return f.most
}

// Room returns the bytes that may be in flight.
func (f *Flow) Room() int64 {
	switch {
	case f.window == 0:
		return min(firstWindow, f.Limit())
	case f.drains:
		return max(f.window/4, leastWindow)
	}
	return f.window
}

// Sent begins to time a part, unless one is timed that was sent earlier.
func (f *Flow) Sent(part uint64, now time.Time) {
	if !f.timing || f.since.Equal(now) {
		f.timing, f.part, f.since, f.before = true, part, now, f.taken
	}
}

// Rate returns the measured rate in bytes a second, 0 before anything is measured.
func (f *Flow) Rate() int64 { return f.rate }

// Trip returns the time that the latest timed part took, 0 before any was.
func (f *Flow) Trip() time.Duration { return f.trip }

// Took counts bytes that were answered.
func (f *Flow) Took(bytes int64) { f.taken += bytes }

// Times reports whether a part is timed whose number lies between from and to.
func (f *Flow) Times(from, to uint64) bool { return f.timing && from <= f.part && f.part <= to }

// Answered ends the timing of a part: the answer to it has come. The window follows the rate: it grows at once, and
// shrinks gradually, if it was used. A rate that was not limited by the window may be low because little was sent.
func (f *Flow) Answered(now time.Time, heartbeat time.Duration) {
	f.timing = false
	f.trip = max(now.Sub(f.since), time.Microsecond)
	if f.quick == 0 || f.trip <= f.quick || f.drains {
		f.quick, f.quickAt, f.drains = f.trip, now, false
	} else {
		f.drains = now.Sub(f.quickAt) > quickLapse*heartbeat
	}
	bytes, window := f.taken-f.before, f.window
	if window == 0 {
		window = min(firstWindow, f.Limit())
	}
	rate, least := bytes*int64(time.Second)/int64(f.trip), max(window-window/4, leastWindow)
	if bytes < window/2 {
		rate, least = max(rate, f.rate), window
	}
	f.rate = rate
	f.settled = f.settled || f.gentle > 0 && f.trip > f.quick+heartbeat
	f.window = max(min(rate*f.ahead(heartbeat).Milliseconds()/1000+f.gentle, f.Limit()), least)
}

// ahead returns the time that a full window takes on the way.
func (f *Flow) ahead(heartbeat time.Duration) time.Duration {
	if f.settled {
		return min(f.quick+queuedFor*heartbeat, longestTrip)
	}
	return min(max(aheadFor*heartbeat, 2*f.quick), longestTrip)
}

// Lost ends the timing after a loss. A part that is sent again is not timed: an answer could be one to the first time.
func (f *Flow) Lost() { f.timing = false }

// Patience returns how long silence must last to prove that everything in flight was lost: the time that the bytes in
// flight take at the measured rate plus twice the time that the latest part took, and at least some heartbeats. It
// doubles with each attempt.
func (f *Flow) Patience(least, heartbeat time.Duration, tries int, inFlight int64) time.Duration {
	takes := time.Duration(inFlight * int64(time.Second) / max(f.rate, Slowest))
	wait := max(least, takes+2*min(f.trip, longestTrip))
	return min(wait<<min(tries, 3), max(wait, longestTrip))
}
