package sim

import "time"

// few is how many faults are made simpler one by one: with more of them, other changes are worth more.
const few = 8

// simplifyFaults makes one fault after another simpler, in every respect.
func (k *shrinker) simplifyFaults() {
	if len(k.best.Faults) > few {
		return
	}
	for i := 0; i < len(k.best.Faults) && k.runs > 0; i++ {
		for _, respect := range []func(Fault) []Fault{
			k.timed, simplerKinds, shorter, smaller, plainer, earlier, rounderTimes, rounderSpans, rounderNumbers,
		} {
			var changes []change
			for _, f := range respect(k.best.Faults[i]) {
				changes = append(changes, func(x *Schedule) { x.Faults[i] = f })
			}
			k.first(changes...)
		}
	}
}

// timed has a fault come by the clock, just after the moment that it waited for.
func (k *shrinker) timed(f Fault) []Fault {
	if f.After == nil {
		return nil
	}
	for _, made := range k.report.Schedule.Faults {
		if a := made.After; a != nil && a.Host == f.After.Host && a.When == f.After.When && a.Message == f.After.Message && made.At >= f.At {
			f.At, f.After = made.At+time.Microsecond, nil
			return []Fault{f}
		}
	}
	return nil
}

// simplerKinds are the faults of simpler kinds that may do instead.
func simplerKinds(f Fault) (all []Fault) {
	as := func(kinds ...Kind) {
		for _, kind := range kinds {
			x := f
			x.Kind, x.N = kind, 0
			all = append(all, x)
		}
	}
	switch f.Kind {
	case CrashIn, Stop:
		as(Crash, PowerCut)
	case PowerCut:
		as(Crash)
	case Suspend, SlowTurns:
		as(Pause)
	case Deafen:
		as(Isolate)
	case SlowLink, LossyLink:
		as(Cut)
	case Split, SplitOneWay, Bridge, Ring:
		for f.Host = range 7 {
			as(Isolate)
		}
	}
	return all
}

// shorter are faults without an end of their own, which end when all is healed, and shorter ones.
func shorter(f Fault) (all []Fault) {
	was := f.For
	for _, d := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second, 3 * time.Second} {
		if f.For = d; d < was {
			all = append(all, f)
		}
	}
	return all
}

// smaller are faults with lesser numbers.
func smaller(f Fault) (all []Fault) {
	was := f.N
	for f.N = 0; f.N < was && !f.Kind.chooses(); f.N = max(2*f.N, 1) {
		all = append(all, f)
	}
	return all
}

// plainer are faults with small seeds.
func plainer(f Fault) (all []Fault) {
	was := f.Seed
	for f.Seed = 0; f.Seed < min(was, 4); f.Seed++ {
		all = append(all, f)
	}
	return all
}

// earlier are faults that wait for their moment from the beginning on.
func earlier(f Fault) (all []Fault) {
	if f.After == nil {
		return nil
	}
	for nth := 1; nth <= 4; nth++ {
		a := *f.After
		a.Nth = nth
		f.At, f.After = 0, &a
		all = append(all, f)
	}
	return all
}

// rounderTimes, rounderSpans and rounderNumbers are faults with numbers of fewer digits.
func rounderTimes(f Fault) []Fault {
	return rounder(f, 7, func(x *Fault, digits int) { x.At = rounded(f.At, digits) })
}

func rounderSpans(f Fault) []Fault {
	return rounder(f, 3, func(x *Fault, digits int) { x.For = rounded(f.For, digits) })
}

func rounderNumbers(f Fault) []Fault {
	if f.Kind.chooses() {
		return nil
	}
	return rounder(f, 3, func(x *Fault, digits int) { x.N = rounded(f.N, digits) })
}

func rounder(f Fault, most int, round func(x *Fault, digits int)) (all []Fault) {
	for digits := 1; digits <= most; digits++ {
		x := f
		round(&x, digits)
		all = append(all, x)
	}
	return all
}
