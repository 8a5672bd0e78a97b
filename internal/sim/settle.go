package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
)

// healing is the time within which a healed group must settle. Callers go on for lastUse before that.
const (
	healing = 40 * time.Second
	lastUse = 2 * time.Second
)

// Settle heals everything but the few members that stay out of reach, and later those too. Each time it expects all
// members within reach to answer and to settle with equal logs and states.
func (s *Sim) Settle() {
	s.leaveUnhealed()
	s.heal()
	s.RunFor(lastUse)
	s.closing = true
	s.serves("without those who stay out of reach")
	if s.err == nil && s.endOutages() {
		s.serves("now that all are within reach")
	}
	if s.err == nil && s.p.Unhealed.Full > 0 && !s.budget.Overdrawn && s.work.Next != nil {
		if s.servesFull(); s.err == nil {
			s.serves("now that all disks have space")
		}
	}
	if s.err == nil && !s.budget.Overdrawn {
		// a snapshot that a slow disk has begun may take longer than an answer, and one that failed is tried after 30 s
		if open := s.until(3*healing, s.resting()); open != nil {
			s.fail("rest", "%v after the last call: %v", 3*healing, open)
		}
	}
	if s.work.Next != nil && s.judge.Executed() == 0 && !s.budget.Overdrawn {
		s.fail("too little", "%d operations had an answer, and %d commands were executed, in %v: callers must have "+
			"commands", s.stats.Answers, s.judge.Executed(), s.Now())
	}
	if s.work.Model != nil && s.err == nil {
		s.checkModel()
	}
}

// serves expects all members within reach to answer and to settle.
func (s *Sim) serves(when string) {
	if s.budget.Overdrawn {
		s.RunFor(healing / 4) // it may serve or not
		return
	}
	calls := s.startFinalCalls()
	if open := s.until(healing, func() error { return cmp.Or(unanswered(calls), s.unsettled()) }); open != nil {
		s.fail("liveness", "%v after the last call began, and longer after the last fault, %s: %v", healing, when, open)
	}
	limit := s.silence()
	if s.hasStruck(fault.SlowDisk) {
		limit = healing // what the disk does already is not hastened
	}
	if open := s.until(limit, s.checkStatuses); open != nil && s.confirmed() {
		s.fail("Status", "%v after that, %s: %v", limit, when, open)
	}
}

// resting returns a function that returns nil once each member has rested at some time, as Shell.Rest of a real replica
// demands. If a member has lost its memory, handovers to it wait, and nothing is demanded.
func (s *Sim) resting() func() error {
	rested := make([]bool, len(s.hosts))
	return func() (open error) {
		if slices.ContainsFunc(s.hosts, func(h *host) bool { return h.lost }) {
			return nil
		}
		for i, h := range s.hosts {
			if h.proc == nil || rested[i] {
				continue
			}
			err := h.proc.shell.Rest()
			if rested[i] = err == nil; err != nil {
				open = fmt.Errorf("%s: %w", h.id, err)
			}
		}
		return open
	}
}

// Converge lets time pass, at most d, until the group is settled. Otherwise it returns the reason.
func (s *Sim) Converge(d time.Duration) (open error) { return s.until(d, s.unsettled) }

// until lets time pass, at most d, until look returns nil; then it compares the states. Otherwise it returns look's
// last error.
func (s *Sim) until(d time.Duration, look func() error) (open error) {
	for end := s.Now() + d; s.err == nil && s.Now() < end; {
		s.RunFor(100 * time.Millisecond)
		if open = look(); open == nil {
			s.compareStates()
			return nil
		}
	}
	if s.err != nil {
		return nil
	}
	return open
}

// compareStates compares the whole states of a settled group.
func (s *Sim) compareStates() {
	op := s.judge.Committed().Op
	if s.failOn("", s.witness.Note(uint64(op))) {
		return
	}
	for _, h := range s.hosts {
		if h.proc == nil || h.lost || h.outage != noOutage {
			continue
		}
		s.failOn(h.id, s.witness.Same(h.proc.user.Machine, uint64(op), h.id))
	}
}

// heal ends all faults but the outages that last longer.
func (s *Sim) heal() {
	s.note(-1, noteHealed, 0)
	s.net.Healed = true
	s.waiting = nil
	s.net.Changed()
	for _, h := range s.hosts {
		if h.outage != outagePaused {
			h.resume()
		}
		h.slowSaves, h.slowTurns, h.space, h.hung = nil, nil, nil, nil
		h.expire("its moment never came", fault.CrashIn, fault.FailSync, fault.ForgeRequest)
		a := &h.faults
		a.untilCrash, a.syncs, a.noReads, a.noWrites, a.noFiles = 0, 0, nil, nil, nil
		h.fs.SetCapacity(0)
		if !h.lost || h.blank && !h.idle {
			h.start()
		}
	}
}

// unsettled returns nil if all members that have their memory and are within reach are Normal in one view, with equal
// logs that are durable and applied, and no call waits.
func (s *Sim) unsettled() error {
	var first *process
	for _, h := range s.hosts {
		p := h.proc
		switch {
		case h.lost, h.outage != noOutage, p == nil && h.idle && !s.net.Healed:
			continue
		case p == nil:
			return fmt.Errorf("%s does not run", h.id)
		case first == nil:
			first = p
		}
		if err := p.settledLike(first); err != nil {
			return fmt.Errorf("%s: %w; it is %+v", h.id, err, p.seen)
		}
	}
	return nil
}

func (p *process) settledLike(first *process) error {
	x, y := &p.seen, &first.seen
	switch {
	case x.Phase != vsr.Primary && x.Phase != vsr.Backup:
		return fmt.Errorf("it is not normal")
	case x.Head.View != y.Head.View || x.Last != y.Last || x.Commit != x.Last.Op:
		return fmt.Errorf("view %d, log to %v, commit %d; %s has view %d, log to %v", x.Head.View, x.Last, x.Commit,
			first.h.id, y.Head.View, y.Last)
	case p.shell.Applier.Op() != x.Commit:
		return fmt.Errorf("applied %d of %d", p.shell.Applier.Op(), x.Commit)
	case len(p.proposals) > 0 || len(p.reads) > 0:
		return fmt.Errorf("%d proposals and %d reads have no outcome", len(p.proposals), len(p.reads))
	case p.h.durable().Last != x.Last:
		return fmt.Errorf("the log is durable to %v only", p.h.durable().Last)
	}
	return nil
}

// Unhealed is the number of members that stay out of reach in each way when all else is healed. The others must answer
// and settle. In total, no more members stay out of reach than the group can do without.
type Unhealed struct {
	Down    int
	Unheard int // no member receives its messages
	Deaf    int // it receives no messages
	Paused  int
	Hung    int // its disk completes nothing
	Apart   int // it and one other member receive nothing of each other, but must answer (X6)
	Full    int // its disk is full, after all else is healed: it remains within reach (F13)
}

func drawUnhealed(seed uint64) Unhealed {
	x := drawOutages(seed)
	if r := world.NewStream(seed, "full for good"); r.Chance(0.15) {
		x.Full = 1 + r.IntN(5)
	}
	return x
}

func drawOutages(seed uint64) (x Unhealed) {
	r := world.NewStream(seed, "staying")
	if !r.Chance(0.6) {
		return x
	}
	for range 1 + r.IntN(3) {
		*world.OneOf(r, &x.Down, &x.Unheard, &x.Deaf, &x.Paused, &x.Hung)++
	}
	if r.Chance(0.2) {
		return Unhealed{Apart: 1}
	}
	return x
}

// outage is the way in which a member is out of reach.
type outage uint8

const (
	noOutage outage = iota // it is within reach
	outageDown
	outageUnheard
	outageDeaf
	outagePaused
	outageHung
)

var outages = [...]struct {
	note  string
	class fault.Class
	count func(x *Unhealed) *int
}{
	outageDown:    {"stays down", fault.CrashClass, func(x *Unhealed) *int { return &x.Down }},
	outageUnheard: {"stays unheard", fault.PartitionClass, func(x *Unhealed) *int { return &x.Unheard }},
	outageDeaf:    {"stays deaf", fault.PartitionClass, func(x *Unhealed) *int { return &x.Deaf }},
	outagePaused:  {"stays paused", fault.PauseClass, func(x *Unhealed) *int { return &x.Paused }},
	outageHung:    {"stays with a hung disk", fault.DiskClass, func(x *Unhealed) *int { return &x.Hung }},
}

// only returns the part of x that belongs to these classes.
func (x Unhealed) only(classes fault.Class) Unhealed {
	for _, o := range outages[outageDown:] {
		if classes&o.class == 0 {
			*o.count(&x) = 0
		}
	}
	if classes&fault.PartitionClass == 0 {
		x.Apart = 0
	}
	if classes&fault.DiskClass == 0 {
		x.Full = 0
	}
	return x
}

// leaveUnhealed chooses the members that stay out of reach. The others remain enough for a group without them, and
// without the members that may have lost their memory.
func (s *Sim) leaveUnhealed() {
	x := s.p.Unhealed
	r := world.NewStream(s.p.Seed, "stay")
	spare := len(s.hosts) - max(s.members.Qr, s.members.Qv)
	for _, h := range s.hosts {
		if h.lost || h.faults.rotten {
			spare--
		}
	}
	if s.p.Volatile {
		x.Down = 0 // it would have lost its memory
	}
	if s.p.DiskLimit == 0 {
		x.Hung = 0 // a primary that waits for its disk without limit withholds from the others what only it has (D3)
	}
	if !s.confirmed() {
		return // it takes all members to confirm the group
	}
	for o := outageDown; o <= outageHung; o++ {
		for n := *outages[o].count(&x); n > 0 && spare > 0; n-- {
			if h := s.victim(r); h.outage == noOutage && !h.lost && !h.faults.rotten {
				h.beginOutage(o, r)
				spare--
			}
		}
	}
	if x.Apart > 0 && spare > 0 && len(s.hosts) > 2 {
		a := s.victim(r).i
		b := (a + 1 + r.IntN(len(s.hosts)-1)) % len(s.hosts)
		s.apart = map[int]int{a: b, b: a}
		s.stats.Unhealed++
		s.note(a, "and "+s.hosts[b].id+" stay apart", uint64(b))
		s.net.Changed()
	}
}

// hangTime is how long an operation of a hung disk takes.
const hangTime = 10_000 * time.Hour

func (h *host) beginOutage(o outage, r world.Stream) {
	h.outage = o
	h.s.stats.Unhealed++
	h.s.note(h.i, outages[o].note, uint64(o))
	switch o {
	case outageDown:
		h.endProcess(r.Chance(0.5), rand.New(rand.NewPCG(r.Uint64(), 0)))
		h.idle = true
	case outagePaused:
		h.pausedUntil = fault.Forever
	}
}

// endOutages ends all outages, and reports whether there were any.
func (s *Sim) endOutages() (any bool) {
	any, s.apart = s.apart != nil, nil
	for _, h := range s.hosts {
		was := h.outage
		if was == noOutage {
			continue
		}
		any = true
		h.outage = noOutage
		h.s.note(h.i, notePresent, uint64(was))
		switch was {
		case outageDown:
			h.start()
		case outagePaused:
			h.resume()
		case outageHung:
			h.hasten(func(at time.Duration) bool { return at > s.Now()+hangTime/2 })
		}
	}
	s.net.Changed()
	return any
}
