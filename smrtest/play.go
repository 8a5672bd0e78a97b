package smrtest

import (
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/sim/fault"
)

// course determines one run: the hazards of a seed, or the faults of a schedule.
type course struct {
	setup   *sim.Setup
	hazards *sim.Hazards
	faults  []fault.Fault
	careful bool // states are compared after every operation
	watcher sim.Watcher
}

// chance returns the course of a seed.
func (x *trial) chance(seed uint64) course {
	p, hazards := x.world(seed)
	return course{setup: p, hazards: hazards}
}

// scheduled returns the course of a schedule.
func scheduled(s *sim.Schedule) course {
	return course{setup: &s.Setup, faults: s.Faults, careful: true}
}

// play runs a course.
func (x *trial) play(t *testing.T, c course) (r *sim.Report) {
	left := elsewhere(t, func(far func(do func())) {
		w := x.workOf(far, c.careful)
		w.Watch = timedAs(x.name, c.setup.Seed)
		r = sim.Play(c.setup, c.hazards, c.faults, w, c.watcher)
	})
	if left != nil && r.Violation == nil {
		r.Violation = &sim.Violation{Rule: contract.NoGoroutine.Name, Text: left.Error(), At: r.Virtual}
	}
	return r
}

// workOf returns the work of one run. far runs code in another year; copies of the machine live there.
func (x *trial) workOf(far func(do func()), careful bool) *sim.Work {
	w := x.work
	var names sync.Map // a shrinking schedule has several runs at the same time
	w.Next = func(r *rand.Rand) sim.Operation {
		o := x.workload[r.IntN(len(x.workload))].next(r)
		if o.Body != nil {
			names.Store(string(o.Body), o.Name)
		}
		if w.Model == nil {
			o.Input = nil
		}
		o.Describe = x.describe
		return o
	}
	w.Describe = x.describe
	if w.Describe == nil {
		w.Describe = func(body []byte) string {
			name, _ := names.Load(string(body))
			text, _ := name.(string)
			return strings.TrimPrefix(text+" "+quote(body), " ")
		}
	}
	w.Elsewhere, w.Careful = far, careful
	return &w
}

// elsewhere calls use with a function far. far runs its argument in a bubble where time.Now is in the
// year 2000 and advances by more than a minute between calls, so that a state machine that reads the
// clock gets different answers there. The error reports goroutines that were left there.
func elsewhere(t *testing.T, use func(far func(do func()))) (left error) {
	todo, ended, over := make(chan func()), make(chan bool), make(chan struct{})
	go func() {
		defer close(over)
		left = bubble(t, func() {
			for do := range todo {
				time.Sleep(stride)
				done := make(chan struct{}) // waiting for it lets time pass for a machine that sleeps
				go func() {
					defer close(done)
					finish(do, ended)
				}()
				<-done
			}
		})
	}()
	defer func() {
		close(todo)
		<-over
	}()
	var one sync.Mutex
	use(func(do func()) {
		one.Lock()
		defer one.Unlock()
		if todo <- do; <-ended {
			runtime.Goexit() // as do would have done here
		}
	})
	return nil
}

// stride changes every part of a clock's time except for the year.
const stride = time.Minute + time.Second + time.Millisecond + time.Microsecond

// finish calls do and reports whether do ended the goroutine.
func finish(do func(), ended chan<- bool) {
	exits := true
	defer func() { ended <- exits }()
	do()
	exits = false
}
