// Package sim runs a group of replicas in virtual time, on one thread, from a seed: the real core, wire codec, log,
// snapshots and recovery, and the user's state machine, over a network, disks and clocks that fail. The same seed gives
// the same run, bit for bit, and so do the same faults. The judge checks every step against docs/PROTOCOL.md, section
// 11. In the end the simulation heals everything, and expects the group to recover.
package sim

import (
	"reflect"
	"runtime/debug"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/judge"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// Stats counts the events of a run.
type Stats struct {
	Commands, Answers, Reads, Refusals, Unknown    int
	Events, Messages, Faults, Crashes, Starts      int
	Stops                                          int // in order
	Handovers                                      int // to another member that was named
	Dropped                                        int // messages that found no room at their receiver
	Snapshots, Transfers, Restores, Loads, Damaged int
	Noticed                                        int // members that another one took to have lost their memory (S6)
	Unhealed                                       int // members that stayed out of reach when all else was healed
	Idle                                           int // runs without an answer before the healing
	Views                                          uint64
}

// Sim is one run. One goroutine owns it.
type Sim struct {
	world.Events
	journal
	p    *Setup
	work *Work
	tag  wire.GroupTag

	members vsr.Membership
	hosts   []*host
	net     *world.Network
	apart   map[int]int // two members that stay apart at the end, each to the other; nil if none do

	chance    *chance // nil: chance makes no faults
	budget    fault.Budget
	struck    []fault.Fault  // all faults so far
	scheduled []*scheduled   // all faults of the schedule
	waiting   []*scheduled   // faults whose triggers have not fired
	expired   []Ineffective  // faults that struck, and then waited in vain for their moment
	trigger   *fault.Trigger // of the fault that strikes now, or nil
	instant   instant
	hooks     []hook

	blame   blame
	judge   *judge.Judge
	kit     *contract.Kit
	witness *contract.Witness
	planned []*planned // of the schedule
	calls   []*Call    // of the callers, as they began
	final   int        // the number of finalCallers so far

	judgedAnswers, unjudged int // answers that the model has judged, and those since

	messages uint64

	calm    time.Duration // the length of the calm beginning
	trouble time.Duration // the end of the time of faults
	closing bool          // clients begin no more calls
	stats   Stats
}

// groupName is the group's configured name.
const groupName = "sim"

// New returns a run that has not begun. A watcher may be nil.
func New(p *Setup, w *Work, watcher Watcher) (*Sim, error) {
	kit := w.Kit
	kit.Cost = new(int64)
	s := &Sim{p: p, work: w, tag: wire.TagOf(groupName), kit: &kit}
	s.journal = journal{clock: &s.Events, watcher: watcher, sum: 14695981039346656037}
	var err error
	every, siblings := p.CompareEvery, 0
	if w.Careful {
		every, siblings = 1, 3
	}
	if s.witness, err = contract.NewWitness(s.kit, every, siblings); err != nil {
		return s, err
	}
	var members []vsr.Member
	for i := range p.Replicas {
		members = append(members, vsr.Member{ID: fault.Name(i), Addr: fault.Name(i)})
	}
	s.members = vsr.NewMembership(members)
	if p.Qr > 0 {
		s.members.Qr, s.members.Qv = p.Qr, p.Qv
	}
	s.judge = judge.New(judge.Config{Members: s.members, Reference: reference{s}, Initial: s.witness.Digest(),
		Distinct: w.Distinct, Results: s.p.Results, Describe: func(e *vsr.Entry) string { return s.kit.Name(opOf(e)) }})
	s.budget.Spare = p.Replicas - max(s.members.Qr, s.members.Qv)
	s.net = world.NewNetwork(p.Seed, p.Replicas, &p.Network, &s.Events, group{s}, watcher)
	for i := range p.Replicas {
		s.hosts = append(s.hosts, newHost(s, i))
	}
	return s, nil
}

// Begin starts the replicas and, if the work has any, the callers.
func (s *Sim) Begin() {
	for _, h := range s.hosts {
		s.After(h.core.Between(0, 300*time.Millisecond), h.start)
	}
	if s.work.Next != nil {
		s.startClients()
	}
}

// RunFor lets d of virtual time pass, or less if a rule is broken.
func (s *Sim) RunFor(d time.Duration) { s.RunUntil(func() bool { return false }, d) }

// RunUntil lets time pass until cond holds after some event, for at most d. It reports whether cond holds.
func (s *Sim) RunUntil(cond func() bool, d time.Duration) bool {
	for end := s.Now() + d; s.err == nil && !cond(); s.stats.Events++ {
		if !s.Step(end) {
			return cond()
		}
		if s.work.Limit > 0 && s.cost() > s.work.Limit {
			s.fail(ruleLimit, "after a cost of %d", s.cost())
		}
	}
	return s.err == nil
}

// ruleLimit is broken by a run that costs more than Work.Limit.
const ruleLimit = "cost"

// cost is how much computation the run has taken so far: its events, and what the state machine cost.
func (s *Sim) cost() int64 { return int64(s.stats.Events) + *s.kit.Cost }

// Report describes a run.
type Report struct {
	Violation   *Violation    // nil: none
	Schedule    Schedule      // repeats the run
	Ineffective []Ineffective // scheduled faults without effect
	Changed     []string      // scheduled calls that did not begin, or not in their order, and why
	Hash        uint64        // of all events in order
	Virtual     time.Duration
	Calm        time.Duration // the length of the calm beginning
	Stats       Stats
	Cost        int64 // of the computation
	Beyond      bool  // the faults exceeded the budget, so that the group may stop serving
	Blind       bool  // states were not compared, because snapshots of one state differ in their bytes

	// Set after a violation only.
	Hosts   []HostStatus          // at the end
	History []porcupine.Operation // if the work has a model
}

// Run performs the run of a schedule, and adds the faults of chance if h is not nil. The watcher may be nil.
func Run(x *Schedule, h *Hazards, w *Work, watcher Watcher) *Report {
	p := x.Setup
	s, err := New(&p, w, watcher)
	if s.failOn("", err) {
		return s.Report()
	}
	for _, c := range x.Calls {
		s.planned = append(s.planned, &planned{PlannedCall: c})
	}
	s.guarded(func() {
		s.runFaults(h, x.Faults)
		s.Settle()
	})
	return s.Report()
}

// runFaults performs the calm beginning of a run and the time of its faults.
func (s *Sim) runFaults(h *Hazards, faults []fault.Fault) {
	s.Begin()
	for _, f := range faults {
		s.Inject(f)
	}
	s.net.Quiet = s.p.Calm > 0
	s.RunUntil(func() bool { return s.stats.Answers > 0 }, s.p.Calm)
	s.net.Quiet = false
	s.calm, s.trouble = s.Now(), s.Now()+s.p.Trouble
	if h != nil {
		s.startChance(h)
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
	r := &Report{Violation: s.Violation(), Hash: uint64(s.sum), Virtual: s.Now(), Calm: s.calm, Stats: s.stats,
		Cost: s.cost(), Beyond: s.budget.Overdrawn || s.excused, Schedule: Schedule{Setup: *s.p, Faults: slices.Clone(s.struck)}}
	r.Schedule.Setup.Callers = Callers{} // the calls are in the schedule
	if s.judge != nil {
		r.Stats.Commands, r.Blind = s.judge.Executed(), s.witness.Blind()
		r.Schedule.Calls = s.madeCalls()
	}
	if s.err == nil { // after a violation, the time of some has not come
		r.Ineffective, r.Changed = s.ineffective(), s.changed()
	}
	if r.Violation == nil {
		return r
	}
	for i := range s.hosts {
		r.Hosts = append(r.Hosts, s.Status(i))
	}
	if s.work.Model != nil {
		r.History = s.judge.History(s.open())
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
	Ready            bool      // calls at it succeed, as far as it knows
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
		x.Ready = p.core().Health(nil).Ready
	}
	return x
}

// Do strikes with a fault now. The error reports why it cannot strike.
func (s *Sim) Do(f fault.Fault) error {
	f.At, f.After = s.Now(), nil
	return s.strike(f)
}

// Cancel cancels a call, as the end of its caller's context does. The call ends in the next turn of its replica.
func (s *Sim) Cancel(c *Call) {
	if p := s.hosts[c.Host].proc; p != nil && c.Outcome == Pending {
		p.cancel(c)
	}
}

// Reaches reports whether the link from one host to another is whole.
func (s *Sim) Reaches(from, to int) bool { return from == to || !s.net.Links[from][to].IsCut() }

// Needed returns the number of members that must be up and reach each other for a group of n to serve.
func Needed(n int) int {
	m := vsr.NewMembership(make([]vsr.Member, n))
	return max(m.Qr, m.Qv)
}
