package sim

import (
	"reflect"
	"runtime/debug"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vsr"
)

// Report describes a run.
type Report struct {
	Violation   *Violation    // nil: none
	Schedule    Schedule      // repeats the run
	Ineffective []Ineffective // scheduled faults without effect
	Hash        uint64        // of all events in order
	Virtual     time.Duration
	Calm        time.Duration // the length of the calm beginning
	Stats       Stats
	Beyond      bool // the faults exceeded the budget, so that the group may stop serving
	Blind       bool // states were not compared, because snapshots of one state differ in their bytes

	// Set after a violation only.
	Hosts   []HostStatus          // at the end
	History []porcupine.Operation // if the work has a model
}

// Run performs the run of a seed with smr's own state machine. The watcher may be nil.
func Run(seed uint64, watcher Watcher) *Report {
	p, t := Draw(seed)
	p.Lists = drawCalls(seed)
	return Play(p, t, nil, p.Lists.Work(), watcher)
}

// Play performs a run, with the faults of chance, if h is not nil, and these faults. The watcher may
// be nil.
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

// goThrough performs the calm beginning of a run and the time of its faults.
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

// guarded turns a panic into a violation.
func (s *Sim) guarded(do func()) {
	defer func() {
		if x := recover(); x != nil {
			s.fail("panic", "%v\n%s", x, debug.Stack())
		}
	}()
	do()
}

// Report describes the run so far.
func (s *Sim) Report() *Report {
	r := &Report{Violation: s.err, Hash: uint64(s.sum), Virtual: s.Now(), Calm: s.calm, Stats: s.stats, Beyond: s.budget.Overdrawn,
		Schedule: Schedule{Setup: *s.p, Faults: slices.Clone(s.struck)}}
	if s.err == nil {
		r.Ineffective = s.ineffective() // after a violation, the time of some has not come
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

// HostStatus describes a host.
type HostStatus struct {
	Up, Lost, Paused bool
	State            vsr.State // of a process that is up
	Applied          uint64
	Machine          smr.StateMachine // of a process that is up; read-only
}

// Status returns the present state of a host.
func (s *Sim) Status(host int) HostStatus {
	h := s.hosts[host]
	x := HostStatus{Up: h.proc != nil, Lost: h.lost, Paused: s.Now() < h.pausedUntil}
	if p := h.proc; p != nil {
		x.State, x.Applied, x.Machine = p.core().State(), uint64(p.shell.Applier.Op()), p.user.User
	}
	return x
}

// Primary returns the primary of the latest view that has one, or -1.
func (s *Sim) Primary() int {
	if h := s.primary(); h != nil {
		return h.i
	}
	return -1
}
