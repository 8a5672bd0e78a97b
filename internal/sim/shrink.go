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

// Shrink searches for a smaller schedule that fails with the same violation v: a shorter one, with fewer calls, faults
// and replicas, a calmer network and rounder numbers. It makes at least one run, that of x, and costs at most as much
// as that many runs of x. It stops early if stop, which may be nil, returns true. It returns the smallest schedule
// found, whose About is the violation, the report of its run, and whether no further change makes it smaller. If x does
// not fail with v, it returns x and the report of its run. The result depends on the arguments alone, unless stop ends
// the search. work returns the work of a run, and may depend on its world.
func Shrink(x Schedule, work func(p *Setup) *Work, v *Violation, runs int, stop func() bool) (
	small Schedule, r *Report, done bool) {
	if stop == nil {
		stop = func() bool { return false }
	}
	k := &shrinker{work: work, want: v, stop: stop, cores: runtime.GOMAXPROCS(0), best: x,
		seen: map[string]bool{textOf(&x): true}}
	var fails bool
	if k.report, fails = k.run(&x); !fails {
		return x, k.report, false
	}
	k.budget = int64(runs) * max(k.report.Cost, leastCost)
	k.limit = k.budget / int64(max(runs, 1)) * longer
	k.compareOften()
	k.lateCalls()
	for k.round() {
	}
	slices.SortStableFunc(k.best.Faults, func(f, g fault.Fault) int { return cmp.Compare(f.At, g.At) })
	if len(k.best.Faults) == 0 {
		k.best.Faults = nil // as ReadSchedule returns it
	}
	k.best.Calls = k.report.Schedule.Calls // with their ops
	k.best.About, _, _ = strings.Cut(k.report.Violation.Error(), "\n")
	if len(k.best.About) > longest {
		k.best.About = strings.ToValidUTF8(k.best.About[:longest], "") + " ..."
	}
	return k.best, k.report, !k.over()
}

// leastCost is that of a short run: what a run costs at least in the budget of a search, and a tenth of it what an
// attempt is counted for at least. An attempt ends when it costs longer times as much as the first run.
const (
	leastCost = 20_000
	longer    = 3
)

// longest is the number of bytes of a violation in the comment of its schedule.
const longest = 300

// shrinker is one search for a smaller schedule.
type shrinker struct {
	work   func(p *Setup) *Work
	want   *Violation
	budget int64 // the cost that is left
	limit  int64 // of one run; 0: none
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

// round tries every kind of change, beginning with those that make later runs fast. It reports whether the schedule
// became smaller.
func (k *shrinker) round() bool {
	before := textOf(&k.best)
	for _, step := range []func(*shrinker){
		(*shrinker).cutTail, (*shrinker).dropKinds, (*shrinker).dropFaults, (*shrinker).dropCalls,
		(*shrinker).plainWorld, (*shrinker).dropReplicas, (*shrinker).otherSnapshots, (*shrinker).plainSettings,
		(*shrinker).simplifyFaults, (*shrinker).simplifyCalls,
	} {
		step(k)
	}
	return !k.over() && textOf(&k.best) != before
}

// over reports whether the search must end.
func (k *shrinker) over() bool { return k.budget <= 0 || k.stop() }

// first tries changes of the best schedule one after another until one still fails, which becomes the best. It returns
// the index of that change, or -1. All cores try at once; the result, and the cost that is counted, are those of one
// core.
func (k *shrinker) first(changes ...change) int {
	for next := 0; next < len(changes) && !k.over(); {
		var batch []*attempt
		batch, next = k.batch(changes, next)
		var wg sync.WaitGroup
		for _, a := range batch {
			wg.Go(func() { a.report, a.fails = k.run(&a.x) })
		}
		wg.Wait()
		for _, a := range batch {
			if k.budget <= 0 {
				return -1 // one core would have stopped here
			}
			k.budget -= max(a.report.Cost, leastCost/10)
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
	for ; next < len(changes) && len(batch) < k.cores; next++ {
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

// run runs a schedule, and reports whether it fails with the wanted violation and within the budget of faults.
func (k *shrinker) run(x *Schedule) (r *Report, fails bool) {
	w := *k.work(&x.Setup)
	w.Limit = k.limit
	r = Run(x, nil, &w, nil)
	if k.report == nil {
		k.beyond = r.Beyond
	}
	return r, r.Violation.like(k.want) && (k.beyond || !r.Beyond) && (k.report == nil || !r.final() || k.report.final())
}

// final reports whether the run came to the calls that a healed group must answer. Chance chooses them, so that a
// schedule that needs none is preferred.
func (r *Report) final() bool {
	return slices.ContainsFunc(r.Schedule.Calls, func(c PlannedCall) bool { return c.Final })
}

// like reports whether two violations break the same rule. If the rule is as general as the absence of panics, their
// texts must also be equal, except for numbers, names and quotes.
func (v *Violation) like(w *Violation) bool {
	if v == nil || v.Rule != w.Rule {
		return false
	}
	vague := []string{"error", "panic", contract.NoPanic.Name, contract.NoFailure.Name}
	return !slices.Contains(vague, v.Rule) || gist(v.Text) == gist(w.Text)
}

var particulars = regexp.MustCompile("(`[^`]*`|" + `"(\\.|[^"\\])*")(\.\.\. of [0-9]+ bytes)?|` +
	`0x[0-9a-f]+|[0-9]+|\b[a-g]\b`)

func gist(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	return particulars.ReplaceAllString(text, "")
}

func (x *Schedule) clone() Schedule {
	return Schedule{x.About, x.Setup, slices.Clone(x.Calls), fault.Clone(x.Faults)}
}

// textOf returns the schedule as text, without its About.
func textOf(x *Schedule) string {
	var b strings.Builder
	y := Schedule{Setup: x.Setup, Calls: x.Calls, Faults: x.Faults}
	y.WriteTo(&b)
	return b.String()
}
