// Package sim runs a group of replicas in virtual time, on one thread, from a seed: the real core,
// wire codec, log, snapshots and recovery, and the user's state machine, over a network, disks and
// clocks that fail. The same seed gives the same run, bit for bit, and so do the same faults. The judge
// checks every step against docs/PROTOCOL.md, section 11. In the end the simulation heals everything,
// and expects the group to recover.
package sim

import (
	"time"

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
	Snapshots, Transfers, Restores, Loads, Damaged int
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

	chance    *chance // nil: chance makes no faults
	budget    fault.Budget
	struck    []fault.Fault  // all faults so far
	scheduled []*scheduled   // all faults of the schedule
	waiting   []*scheduled   // faults whose triggers have not fired
	expired   []Ineffective  // faults that struck, and then waited in vain for the disk
	trigger   *fault.Trigger // of the fault that strikes now, or nil
	instant   instant
	hooks     []hook

	judge    *judge.Judge
	kit      *contract.Kit
	witness  *contract.Witness
	callers  int
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
	s := &Sim{p: p, work: w, tag: wire.TagOf(groupName), kit: w.kit()}
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
	s.judge = judge.New(judge.Config{Members: s.members, Reference: reference{s.witness}, Initial: s.witness.Digest(), Distinct: w.Distinct,
		Describe: func(e *vsr.Entry) string { return s.kit.Name(opOf(e)) }})
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
	if s.work.Next == nil {
		return
	}
	for _, h := range s.hosts {
		for i := range s.p.Callers.PerReplica {
			s.newClient(h, i).think()
		}
	}
}

// RunFor lets d of virtual time pass, or less if a rule is broken.
func (s *Sim) RunFor(d time.Duration) {
	for end := s.Now() + d; s.err == nil; {
		if !s.Step(end) {
			return
		}
		s.stats.Events++
	}
}

// RunUntil lets time pass until cond holds after some event, for at most d. It reports whether cond holds.
func (s *Sim) RunUntil(cond func() bool, d time.Duration) bool {
	for end := s.Now() + d; s.err == nil && !cond(); s.stats.Events++ {
		if !s.Step(end) {
			return cond()
		}
	}
	return s.err == nil
}
