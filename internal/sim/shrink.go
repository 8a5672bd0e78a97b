package sim

import (
	"cmp"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/sim/fault"
)

// Shrink searches for a smaller schedule that fails with the same violation v: a shorter one, with
// fewer faults, replicas and callers, a calmer network and rounder numbers. It makes at least one run
// and at most runs of them, fewer if they are long, as those of a group that does not recover are. It
// stops early if stop, which may be nil, returns true. It returns the smallest schedule found, whose
// About is the violation, and the report of its run. If x does not fail with v, it returns x and the
// report of its run. The result depends on the arguments alone, unless stop ends the search. A nil
// Work is that of x.Setup.Lists, which is then shrunk too.
func Shrink(x Schedule, w *Work, v *Violation, runs int, stop func() bool) (Schedule, *Report) {
	if stop == nil {
		stop = func() bool { return false }
	}
	k := &shrinker{work: w, want: v, runs: runs - 1, events: runs * usualEvents, stop: stop, cores: runtime.GOMAXPROCS(0), best: x, seen: map[string]bool{textOf(&x): true}}
	var fails bool
	if k.report, fails = k.play(&x); !fails {
		return x, k.report
	}
	for k.round() {
	}
	slices.SortStableFunc(k.best.Faults, func(f, g fault.Fault) int { return cmp.Compare(f.At, g.At) })
	if len(k.best.Faults) == 0 {
		k.best.Faults = nil // as ReadSchedule returns it
	}
	k.best.About, _, _ = strings.Cut(k.report.Violation.Error(), "\n")
	if len(k.best.About) > longest {
		k.best.About = strings.ToValidUTF8(k.best.About[:longest], "") + " ..."
	}
	return k.best, k.report
}

// usualEvents is the mean number of events that a run of a search may have.
const usualEvents = 50_000

// longest is the number of bytes of a violation in the comment of its schedule.
const longest = 300

// shrinker is one search for a smaller schedule.
type shrinker struct {
	work   *Work
	want   *Violation
	runs   int // runs that are left
	events int // events that are left
	stop   func() bool
	cores  int
	best   Schedule
	report *Report         // of the best
	seen   map[string]bool // the texts of the schedules that were tried
	beyond bool            // the first one exceeded the budget, so that others may
}

// change makes a schedule smaller or plainer, or does nothing.
type change func(x *Schedule)

// attempt is a changed schedule.
type attempt struct {
	change int // its index
	x      Schedule
	text   string
	report *Report
	fails  bool
}

// round tries every kind of change, beginning with those that make later runs fast. It reports whether
// the schedule became smaller.
func (k *shrinker) round() bool {
	before := textOf(&k.best)
	for _, step := range []func(*shrinker){
		(*shrinker).cutTail, (*shrinker).dropKinds, (*shrinker).dropFaults, (*shrinker).plainWorld, (*shrinker).dropReplicas,
		(*shrinker).calmCallers, (*shrinker).plainSettings, (*shrinker).simplifyFaults,
	} {
		step(k)
	}
	return k.left() > 0 && !k.stop() && textOf(&k.best) != before
}

// left returns the number of runs that are left.
func (k *shrinker) left() int {
	if k.events <= 0 {
		return 0
	}
	return k.runs
}

// first tries changes of the best schedule one after another until one still fails, which becomes
// the best. It returns the index of that change, or -1. All cores try at once; the result, and the
// number of runs counted, are those of one core.
func (k *shrinker) first(changes ...change) int {
	for next := 0; next < len(changes) && k.left() > 0 && !k.stop(); {
		var batch []*attempt
		batch, next = k.batch(changes, next)
		var wg sync.WaitGroup
		for _, a := range batch {
			wg.Go(func() { a.report, a.fails = k.play(&a.x) })
		}
		wg.Wait()
		for _, a := range batch {
			if k.left() == 0 {
				return -1 // one core would have stopped here
			}
			k.runs--
			k.events -= a.report.Stats.Events
			k.seen[a.text] = true
			if a.fails {
				k.best, k.report = a.x, a.report
				return a.change
			}
		}
	}
	return -1
}

// batch returns the next attempts, one for each core, and the index of the change after them.
func (k *shrinker) batch(changes []change, next int) (batch []*attempt, after int) {
	for ; next < len(changes) && len(batch) < min(k.cores, k.runs); next++ {
		a := &attempt{change: next, x: k.best.clone()}
		changes[next](&a.x)
		a.text = textOf(&a.x)
		known := slices.ContainsFunc(batch, func(b *attempt) bool { return b.text == a.text })
		if !known && !k.seen[a.text] && a.x.check() == nil {
			batch = append(batch, a)
		}
	}
	return batch, next
}

// each tries every change on the best schedule so far.
func (k *shrinker) each(changes ...change) {
	for len(changes) > 0 {
		i := k.first(changes...)
		if i < 0 {
			return
		}
		changes = changes[i+1:]
	}
}

// play plays a schedule, and reports whether it fails with the wanted violation and within the budget.
func (k *shrinker) play(x *Schedule) (r *Report, fails bool) {
	w := k.work
	if w == nil {
		w = x.Setup.Lists.Work()
	}
	p := x.Setup // the run keeps a pointer to it
	r = Play(&p, nil, x.Faults, w, nil)
	if k.report == nil {
		k.beyond = r.Beyond
	}
	return r, r.Violation.like(k.want) && (k.beyond || !r.Beyond)
}

// like reports whether two violations break the same rule. If the rule is as general as the absence
// of panics, their texts must also be equal, except for numbers, names and quotes.
func (v *Violation) like(w *Violation) bool {
	if v == nil || v.Rule != w.Rule {
		return false
	}
	vague := []string{"error", "panic", contract.NoPanic.Name, contract.NoFailure.Name}
	return !slices.Contains(vague, v.Rule) || gist(v.Text) == gist(w.Text)
}

var particulars = regexp.MustCompile("(`[^`]*`|" + `"(\\.|[^"\\])*")(\.\.\. of [0-9]+ bytes)?|0x[0-9a-f]+|[0-9]+|\b[a-g]\b`)

func gist(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	return particulars.ReplaceAllString(text, "")
}

func (x *Schedule) clone() Schedule {
	return Schedule{x.About, x.Setup, fault.Clone(x.Faults)}
}

// textOf returns the schedule as text, without its About.
func textOf(x *Schedule) string {
	var b strings.Builder
	y := Schedule{Setup: x.Setup, Faults: x.Faults}
	y.WriteTo(&b)
	return b.String()
}
