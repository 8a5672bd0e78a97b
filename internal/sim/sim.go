// Package sim runs a group of replicas in virtual time, on one thread, from a seed: the real core,
// wire codec, log, snapshots and recovery, over a network, disks and clocks that fail as the seed
// says. The same seed gives the same run, bit for bit. After every step it checks the invariants of
// PROTOCOL.md section 11; at the end it heals everything, and expects that the group does too.
package sim

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// Report is what happened in a run.
type Report struct {
	Seed    uint64
	Hash    uint64        // of everything that happened, in order
	Virtual time.Duration // how long it took
	Stats   Stats
	Trace   string // the last things that happened
}

// Stats counts what happened.
type Stats struct {
	Commands, Answers, Reads, Refusals, Unknown int
	Messages, Faults, Crashes, Starts           int
	Snapshots, Transfers, Restores, Loads       int
	Views                                       uint64
}

// Sim is one run. One goroutine owns it.
type Sim struct {
	events
	trace
	seed uint64
	p    *Profile
	tag  wire.GroupTag
	err  error

	members vsr.Membership
	hosts   []*host
	links   [][]*link // [from][to]
	clients []*client
	aims    []stream

	ledger  *ledger
	witness *witness
	reigns  map[epochView]reign
	logs    []vsr.Viewstamp
	floor   vsr.OpNumber // the latest state that any caller has seen
	lastID  uint64       // of a command

	healed  bool // no faults any more
	closing bool // clients begin nothing more
	stats   Stats
}

// Run lets the seed's run happen. The error says which invariant was violated and when. lines is how
// many of the last lines the report's trace has.
func Run(seed uint64, lines int) (r Report, err error) {
	s := newSim(seed, draw(seed), lines)
	defer func() {
		if x := recover(); x != nil {
			s.fail("panic: %v\n%s", x, debug.Stack())
		}
		s.stats.Commands = s.witness.commands
		r = Report{Seed: seed, Hash: s.sum, Virtual: s.now, Stats: s.stats, Trace: s.trace.String()}
		err = s.err
	}()
	s.run()
	return r, err
}

func newSim(seed uint64, p *Profile, lines int) *Sim {
	s := &Sim{seed: seed, p: p, trace: newTrace(lines), tag: wire.TagOf("sim"),
		ledger: newLedger(), witness: newWitness(), reigns: map[epochView]reign{}}
	var members []vsr.Member
	for i := range p.Replicas {
		members = append(members, vsr.Member{ID: name(i), Addr: name(i)})
	}
	s.members = vsr.NewMembership(members)
	if p.Qr > 0 {
		s.members.Qr, s.members.Qv = p.Qr, p.Qv
	}
	s.newLinks()
	for i := range p.Replicas {
		s.hosts = append(s.hosts, newHost(s, i))
		for j := range p.Clients.PerReplica {
			s.clients = append(s.clients, newClient(s, s.hosts[i], j))
		}
	}
	return s
}

func (s *Sim) run() {
	for _, h := range s.hosts {
		s.after(h.core.between(0, 300*time.Millisecond), h.start)
	}
	for _, c := range s.clients {
		c.think()
	}
	s.makeFaults()
	for s.err == nil && s.step(s.p.Trouble) {
	}
	s.settle()
}

// fail ends the run with the first thing that went wrong.
func (s *Sim) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("seed %d at %.6f s: %s", s.seed, s.now.Seconds(), fmt.Sprintf(format, args...))
	}
}

// note adds a line to the trace, at the present time.
func (s *Sim) note(who int, what string, number uint64, args ...any) {
	s.trace.note(s.now, who, what, number, args...)
}
