package vsr

import "time"

// flow measures the rate at which a member receives data, and limits the bytes in flight to it (C1, C2). It times one part
// after the other, from when the part is sent until its answer arrives. The bytes answered in that time are those that
// were in flight when it began, so bytes and time give the rate of the link, or of the member's disk if that is slower.
//
//	quick <= trip, unless quick was measured later
//	window <= limit()
type flow struct {
	most   int64 // limit of window; 0: MaxInFlight
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
	drains  bool          // the queues on the way are emptied for the next part, to measure quick
}

// Limits of flows.
const (
	firstWindow = 128 << 10 // bytes in flight until something is measured
	leastWindow = 16 << 10
	MaxInFlight = 16 << 20         // the widest window, or Config.Window if that is less; it may be exceeded by one message
	slowest     = 32 << 10         // bytes a second that every link is expected to carry
	aheadFor    = 4                // heartbeats: with empty queues, a full window takes this time, or twice quick if that is longer
	longestTrip = 10 * time.Second // longer times count as this in windows and timeouts
	quickLapse  = 200              // heartbeats after which quick is measured again
)

// newFlow returns a flow whose window is at most as large as the primary's (N1), because this replica may keep in memory
// everything that is in flight: messages in a queue, with entries that the log has already dropped from memory.
func (r *Replica) newFlow() flow { return flow{most: min(max(r.cfg.Window, leastWindow), MaxInFlight)} }

// limit returns the widest window.
func (f *flow) limit() int64 {
	if f.most == 0 {
		return MaxInFlight
	}
	return f.most
}

// room returns the bytes that may be in flight.
func (f *flow) room() int64 {
	switch {
	case f.window == 0:
		return min(firstWindow, f.limit())
	case f.drains:
		return max(f.window/4, leastWindow)
	}
	return f.window
}

// sent begins to time a part, unless one is timed that was sent earlier.
func (f *flow) sent(part uint64, now time.Time) {
	if !f.timing || f.since.Equal(now) {
		f.timing, f.part, f.since, f.before = true, part, now, f.taken
	}
}

// answered ends the timing of a part: the answer to it has come. The window follows the rate: it grows at once, and
// shrinks gradually, if it was used. A rate that was not limited by the window may be low because little was sent.
func (f *flow) answered(now time.Time, heartbeat time.Duration) {
	f.timing = false
	f.trip = max(now.Sub(f.since), time.Microsecond)
	if f.quick == 0 || f.trip <= f.quick || f.drains {
		f.quick, f.quickAt, f.drains = f.trip, now, false
	} else {
		f.drains = now.Sub(f.quickAt) > quickLapse*heartbeat
	}
	bytes, window := f.taken-f.before, f.window
	if window == 0 {
		window = min(firstWindow, f.limit())
	}
	rate, least := bytes*int64(time.Second)/int64(f.trip), max(window-window/4, leastWindow)
	if bytes < window/2 {
		rate, least = max(rate, f.rate), window
	}
	f.rate = rate
	f.window = max(min(rate*f.ahead(heartbeat).Milliseconds()/1000, f.limit()), least)
}

// ahead returns the time that a full window takes on the way.
func (f *flow) ahead(heartbeat time.Duration) time.Duration {
	return min(max(aheadFor*heartbeat, 2*f.quick), longestTrip)
}

// lost ends the timing after a loss. A part that is sent again is not timed: an answer could be one to the first time.
func (f *flow) lost() { f.timing = false }

// patience returns how long silence must last to prove that everything in flight was lost: the time that the bytes in
// flight take at the measured rate plus twice the time that the latest part took, and at least some heartbeats. It
// doubles with each attempt.
func (f *flow) patience(least, heartbeat time.Duration, tries int, inFlight int64) time.Duration {
	takes := time.Duration(inFlight * int64(time.Second) / max(f.rate, slowest))
	wait := max(least, takes+2*min(f.trip, longestTrip))
	return min(wait<<min(tries, 3), max(wait, longestTrip))
}
