package fault

import "time"

// scripted returns the kinds of these classes that a script can name. None of them costs a member its
// memory, because a script knows no budget.
func scripted(x Class) (kinds []Kind) {
	for class := Class(1); class < classes; class <<= 1 {
		for kind := range Kinds {
			if x&class != 0 && kind.Class() == class && kind.row().script != nil {
				kinds = append(kinds, kind)
			}
		}
	}
	return kinds
}

// perFault is how many bytes of a script describe a fault.
const perFault = 8

// Script turns arbitrary bytes into faults of these classes for a group of n replicas, up to the
// first fault that is later than end. Eight bytes describe a fault: its kind; its host, and in the
// upper four bits the other replica; the time since the fault before it and how long it lasts, both
// as squares in ms; its trigger, and the trigger's Nth; and two bytes for its amount and seed.
func Script(b []byte, classes Class, n int, end time.Duration) (faults []Fault) {
	kinds := scripted(classes)
	if len(kinds) == 0 {
		return nil
	}
	at := time.Duration(0)
	for ; len(b) >= perFault; b = b[perFault:] {
		if at += squared(b[2]); at > end {
			break
		}
		size := int64(b[6])<<8 | int64(b[7])
		f := Fault{At: at, Kind: kinds[int(b[0])%len(kinds)], Host: int(b[1]&15) % n, For: squared(b[3]),
			Seed: uint64(size)}
		if f.Kind.NamesTwo() {
			f.To = (f.Host + 1 + int(b[1]>>4)%max(n-1, 1)) % n // another one
		}
		if when := b[4] % byte(Moments+1); when > 0 {
			f.After = &Trigger{Host: f.Host, When: Moment(when - 1), Nth: 1 + int(b[5])}
		}
		if f.N = f.Kind.row().script(size); f.Kind.HasSide() {
			f.N &= 1<<n - 1
		}
		faults = append(faults, f)
	}
	return faults
}

// squared spreads a byte over 0 to 65 s.
func squared(b byte) time.Duration { return time.Duration(b) * time.Duration(b) * time.Millisecond }
