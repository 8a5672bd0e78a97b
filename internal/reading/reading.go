// Package reading makes times with the readings of two clocks, as time.Now does: of a wall clock, for dates, and of a
// monotonic clock, for differences. Package time cannot make such a time from two numbers.
package reading

import (
	"time"
	"unsafe"
)

// The layout of a time.Time with a monotonic reading. TestReadings checks that it is still the one used here.
type layout struct {
	wall uint64 // the flag hasMonotonic, 33 bits of seconds since 1885, 30 bits of nanoseconds
	ext  int64  // the monotonic reading in nanoseconds
	loc  *time.Location
}

const (
	hasMonotonic = 1 << 63
	from1885     = 2_682_288_000 // seconds from 1885 to 1970
	secondsLimit = 1 << 33
)

// InRange reports whether a time with a monotonic reading can have that wall clock reading, in seconds since 1970: those
// from 1885 to 2157.
func InRange(seconds int64) bool { return -from1885 <= seconds && seconds < secondsLimit-from1885 }

// Of returns the time at which the wall clock shows wall, which is InRange, and the monotonic clock shows mono.
func Of(wall time.Time, mono time.Duration) time.Time {
	parts := layout{hasMonotonic | uint64(wall.Unix()+from1885)<<30 | uint64(wall.Nanosecond()), int64(mono), nil}
	return *(*time.Time)(unsafe.Pointer(&parts))
}

// Mono returns the monotonic reading of t. It reports false if t has none.
func Mono(t time.Time) (time.Duration, bool) {
	if t == t.Round(0) { // which drops the monotonic reading
		return 0, false
	}
	return t.Sub(Of(time.Unix(0, 0), 0)), true
}
