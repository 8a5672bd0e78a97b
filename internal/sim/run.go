package sim

import (
	"reflect"
	"runtime/debug"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vsr"
)

// Report is what happened in a run.
type Report struct {
	Violation   *Violation    // nil: none
	Schedule    Schedule      // makes the same run again
	Ineffective []Ineffective // faults that did nothing
	Hash        uint64        // of everything that happened, in order
	Virtual     time.Duration
	Calm        time.Duration // how long all was calm at first
	Stats       Stats
	Beyond      bool // the faults were more than the budget allows: a group may stand still then
	Blind       bool // snapshots of one state differ in their bytes: states were not compared

	// Of a run with a violation only.
	Hosts   []HostStatus          // at the end
	History []porcupine.Operation // of a work with a model
}

// Run lets the seed's run of smr's own state machine happen. A watcher may be nil.
func Run(seed uint64, watcher Watcher) *Report {
	p, t := Draw(seed)
	p.Lists = drawCalls(seed)
	return Play(p, t, nil, p.Lists.Work(), watcher)
}

// Play lets a run happen: chance makes troubles, which may be nil, and the faults happen too.
func Play(p *Setup, h *Hazards, faults []fault.Fault, w *Work, watcher Watcher) *Report {
	s, err := New(p, w, watcher)
	if err != nil {
		s.broke("", err)
		return s.Report()
	}
	s.guarded(func() {
		s.goThrough(h, faults)
		s.Settle()
	})
	return s.Report()
}

// goThrough begins, and lets pass what is calm at first, and the time in which faults happen.
func (s *Sim) goThrough(h *Hazards, faults []fault.Fault) {
	s.Begin()
	for _, f := range faults {
		s.Inject(f)
	}
	s.net.Quiet = s.p.Calm > 0
	s.RunUntil(func() bool { return s.stats.Answers > 0 }, s.p.Calm)
	s.net.Quiet = false
	s.calm, s.trouble = s.Now(), s.Now()+s.p.Trouble
	if h != nil {
		s.expose(h)
	}
	s.RunFor(s.p.Trouble)
	if s.stats.Answers == 0 {
		s.stats.Idle++
	}
}

// guarded makes a violation of a panic.
func (s *Sim) guarded(do func()) {
	defer func() {
		if x := recover(); x != nil {
			s.fail("panic", "%v\n%s", x, debug.Stack())
		}
	}()
	do()
}

// Report says what has happened so far.
func (s *Sim) Report() *Report {
	r := &Report{Violation: s.err, Hash: uint64(s.sum), Virtual: s.Now(), Calm: s.calm, Stats: s.stats, Beyond: s.budget.Overdrawn,
		Schedule: Schedule{Setup: *s.p, Faults: s.Struck()}}
	if s.err == nil {
		r.Ineffective = s.ineffective() // else its time might have come
	}
	if s.judge != nil {
		r.Stats.Commands, r.Blind = s.judge.Executed(), s.witness.Blind()
	}
	if s.err == nil {
		return r
	}
	for i := range s.hosts {
		r.Hosts = append(r.Hosts, s.Status(i))
	}
	if s.work.Model != nil {
		r.History = s.judge.History()
	}
	return r
}

// Plus returns the sums.
func (s Stats) Plus(o Stats) Stats {
	x, y := reflect.ValueOf(&s).Elem(), reflect.ValueOf(o)
	for i := range x.NumField() {
		if f := x.Field(i); f.CanInt() {
			f.SetInt(f.Int() + y.Field(i).Int())
		}
	}
	s.Views += o.Views
	return s
}

// HostStatus is what a host is for those outside.
type HostStatus struct {
	Up, Lost, Paused bool
	State            vsr.State // of a process that is up
	Applied          uint64
	Machine          smr.StateMachine // of a process that is up; not to be changed
}

// Status returns what a host is now.
func (s *Sim) Status(host int) HostStatus {
	h := s.hosts[host]
	x := HostStatus{Up: h.proc != nil, Lost: h.lost, Paused: s.Now() < h.pausedUntil}
	if p := h.proc; p != nil {
		x.State, x.Applied, x.Machine = p.core().State(), uint64(p.shell.Applier.Op()), p.user.User
	}
	return x
}

// Primary returns the primary of the latest view that has one; -1 if none has.
func (s *Sim) Primary() int {
	if h := s.primary(); h != nil {
		return h.i
	}
	return -1
}
