package sim

import "time"

// kindsOf are the kinds of faults that a script can name, of each sort. What may lose a disk's memory
// is not among them: a script knows no budget.
var kindsOf = []struct {
	sort  Sorts
	kinds []Kind
}{
	{CrashFaults, []Kind{Crash, PowerCut, CrashIn, Stop}},
	{PauseFaults, []Kind{Pause, Suspend, SlowTurns}},
	{PartitionFaults, []Kind{Isolate, Deafen, Cut, Split, SplitOneWay, Bridge, Ring}},
	{NetworkFaults, []Kind{SlowLink, LossyLink}},
	{DiskFaults, []Kind{SlowDisk, FullDisk, FailSync, FailReads, FailWrites}},
	{ClockFaults, []Kind{ClockJump}},
	{HandoverFaults, []Kind{HandOver}},
}

// perFault is how many bytes of a script are a fault.
const perFault = 8

// Script reads faults of these sorts out of any bytes, for a group of n, as far as they begin before
// the end: eight bytes are one. They say its kind, whom it befalls (and in the upper four bits who the
// other is), how long after the one before it comes and how long it lasts, both squared, in ms, which
// moment it waits for, and the how manieth, and two the size.
func Script(b []byte, sorts Sorts, n int, end time.Duration) (faults []Fault) {
	var kinds []Kind
	for _, x := range kindsOf {
		if sorts&x.sort != 0 {
			kinds = append(kinds, x.kinds...)
		}
	}
	if len(kinds) == 0 {
		return nil
	}
	at := time.Duration(0)
	for ; len(b) >= perFault; b = b[perFault:] {
		if at += squared(b[2]); at > end {
			break
		}
		f := Fault{At: at, Kind: kinds[int(b[0])%len(kinds)], Host: int(b[1]&15) % n, For: squared(b[3])}
		if f.Kind.hasTo() {
			f.To = (f.Host + 1 + int(b[1]>>4)%max(n-1, 1)) % n // another one
		}
		if when := b[4] % byte(moments+1); when > 0 {
			f.After = &Aim{Host: f.Host, When: Moment(when - 1), Nth: 1 + int(b[5])}
		}
		if f.Kind.hasTo() && f.Kind != HandOver && f.To == f.Host {
			f.To = (f.To + 1) % n
		}
		f.size(int64(b[6])<<8 | int64(b[7]))
		if f.Kind.chooses() {
			f.N &= 1<<n - 1
		}
		faults = append(faults, f)
	}
	return faults
}

// squared spreads a byte over 0 to 65 s.
func squared(b byte) time.Duration { return time.Duration(b) * time.Duration(b) * time.Millisecond }

// size sets what is special to the fault's kind, from 16 bits.
func (f *Fault) size(n int64) {
	f.Seed = uint64(n)
	switch f.Kind {
	case Crash, PowerCut:
		f.N = n & 15
	case CrashIn, FailSync:
		f.N = 1 + n&15
	case SlowTurns:
		f.N = n * int64(time.Microsecond)
	case SlowLink:
		f.N = n * int64(100*time.Microsecond)
	case SlowDisk:
		f.N = n * int64(time.Millisecond)
	case LossyLink:
		f.N = n % 1001
	case ClockJump:
		f.N = (n - 1<<15) * int64(time.Second)
	case FullDisk, Split, SplitOneWay, Bridge:
		f.N = n
	}
}
