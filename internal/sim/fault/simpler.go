package fault

import (
	"math"
	"slices"
	"time"
)

// Simplifications are the respects in which a fault can be simpler, in the order in which a search
// tries them. Each returns candidates, the simplest first.
var Simplifications = []func(Fault) []Fault{
	simplerKinds, shorter, smaller, withSmallSeeds, earlier,
	rounder(7, func(f *Fault, digits int) { f.At = Rounded(f.At, digits) }),
	rounder(3, func(f *Fault, digits int) { f.For = Rounded(f.For, digits) }),
	rounder(3, func(f *Fault, digits int) {
		if !f.Kind.HasSide() {
			f.N = Rounded(f.N, digits)
		}
	}),
}

// simplerKinds returns faults of simpler kinds that may cause the same failure. For a partition of
// all replicas these isolate each of them.
func simplerKinds(f Fault) (all []Fault) {
	hosts := []int{f.Host}
	if f.Kind.NamesNone() || f.Kind.HasSide() {
		hosts = []int{0, 1, 2, 3, 4, 5, 6}
	}
	for _, host := range hosts {
		for _, kind := range f.Kind.row().simpler {
			x := f
			x.Kind, x.Host, x.N = kind, host, 0
			all = append(all, x)
		}
	}
	return all
}

// shorter returns faults that last until all faults end, and shorter ones.
func shorter(f Fault) (all []Fault) {
	was := f.For
	for _, d := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second,
		3 * time.Second} {
		if f.For = d; d < was {
			all = append(all, f)
		}
	}
	return all
}

// smaller returns faults with smaller amounts.
func smaller(f Fault) (all []Fault) {
	was := f.N
	for f.N = 0; f.N < was && !f.Kind.HasSide(); f.N = max(2*f.N, 1) {
		all = append(all, f)
	}
	return all
}

func withSmallSeeds(f Fault) (all []Fault) {
	was := f.Seed
	for f.Seed = 0; f.Seed < min(was, 4); f.Seed++ {
		all = append(all, f)
	}
	return all
}

// earlier returns faults whose triggers count from the beginning.
func earlier(f Fault) (all []Fault) {
	if f.After == nil {
		return nil
	}
	for nth := 1; nth <= 4; nth++ {
		t := *f.After
		t.Nth = nth
		f.At, f.After = 0, &t
		all = append(all, f)
	}
	return all
}

// rounder returns a function that returns faults with a number rounded to 1 digit, 2 digits, and so on.
func rounder(most int, round func(f *Fault, digits int)) func(Fault) []Fault {
	return func(f Fault) (all []Fault) {
		for digits := 1; digits <= most; digits++ {
			x := f
			round(&x, digits)
			all = append(all, x)
		}
		return all
	}
}

// Rounded returns n rounded to that many significant digits.
func Rounded[N ~int64](n N, digits int) N {
	unit := N(1)
	for abs := max(n, -n); abs/unit >= N(math.Pow10(digits)); {
		unit *= 10
	}
	half := unit / 2
	if n < 0 {
		half = -half
	}
	return (n + half) / unit * unit
}

// Clone returns faults that share nothing with these.
func Clone(faults []Fault) []Fault {
	faults = slices.Clone(faults)
	for i := range faults {
		if t := faults[i].After; t != nil {
			copied := *t
			faults[i].After = &copied
		}
	}
	return faults
}

// Rotate moves every fault of one of n replicas to the replica that many places before it.
func Rotate(faults []Fault, by, n int) {
	before := func(host *int) { *host = (*host + n - by) % n }
	for i := range faults {
		f := &faults[i]
		if !f.Kind.NamesNone() {
			before(&f.Host)
		}
		if f.Kind.NamesTwo() && f.To >= 0 {
			before(&f.To)
		}
		if f.After != nil {
			before(&f.After.Host)
		}
		if f.Kind.HasSide() {
			f.N = (f.N>>by | f.N<<(n-by)) & (1<<n - 1)
		}
	}
}

// AmongFirst returns the faults that name only the first n replicas.
func AmongFirst(faults []Fault, n int) []Fault {
	faults = slices.DeleteFunc(faults, func(f Fault) bool {
		return f.Host >= n || f.To >= n || f.After != nil && f.After.Host >= n
	})
	for i := range faults {
		if f := &faults[i]; f.Kind.HasSide() {
			f.N &= 1<<n - 1
		}
	}
	return faults
}
