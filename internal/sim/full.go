package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
)

// fillDisks fills the disks of several members for the same time, as disks that are filled alike are.
func (c *chance) fillDisks(r world.Stream) {
	n, lasts := 1+r.IntN(len(c.hosts)), r.Scale(200*time.Millisecond, 20*time.Second)
	for range n {
		c.strike(fault.Fault{Kind: fault.FullDisk, Host: c.running(r).i, N: r.Int64N(8<<10) + 1, For: lasts})
	}
}

// settling is how long callers go on until all members know whose disks are full.
const settling = 15 * time.Second

// knowing is how long it takes a primary to know which members answer, if the calls have filled a disk at last and the
// view has changed for that: a new primary counts all members until then, and accepts commands.
const knowing = 5 * time.Second

// servesFull fills the disks of some members for good in a group that has settled, and expects what F13 promises: every
// call ends, with an answer or refused for want of space, and reads are answered at a primary that reports so, or
// reports nothing. After that the disks have space.
func (s *Sim) servesFull() {
	r := world.NewStream(s.p.Seed, "full")
	for n := s.p.Unhealed.Full; n > 0; n-- {
		if h := s.victim(r); h.proc != nil && !h.lost {
			h.fs.SetCapacity(h.fs.Used() + 1 + r.Int64N(8<<10))
			s.note(h.i, "has a full disk", uint64(n))
		}
	}
	for end := s.Now() + settling; s.Now() < end && s.err == nil; {
		calls := s.callAll(r)
		s.RunFor(time.Second)
		for _, c := range calls {
			if c.Outcome == Pending {
				c.at.cancel(c)
			}
		}
	}
	s.RunFor(knowing)
	full, calls := s.fullDisks(), s.callAll(r)
	wait := 5 * time.Second
	if s.p.Inbox > 0 {
		wait = healing // it drops what arrives together
	}
	for end := s.Now() + wait; s.err == nil && s.Now() < end && slices.ContainsFunc(calls, waits); {
		s.RunFor(time.Second)
	}
	if s.err != nil {
		return
	}
	if s.fullDisks() != full {
		calls = nil // those that were sent before a disk was full wait for space
	}
	for _, c := range calls {
		switch err := fmt.Sprint(c.Err); {
		case c.Outcome == Pending && (c.Body != nil || s.mustRead(c)):
			s.fail("F13", "%s does not end %v although nothing has changed for %v; its state: %+v", s.hosts[c.Host].id,
				c, wait, c.at.seen)
		case c.Outcome == NotApplied && !strings.Contains(err, "full") && !strings.Contains(err, vsr.ErrNoSpace.Error()):
			s.fail("F13", "%s refuses %v for another reason than a full disk: %s", s.hosts[c.Host].id, c, err)
		case c.Outcome == Pending:
			c.at.cancel(c)
		}
	}
	for _, h := range s.hosts {
		h.fs.SetCapacity(0)
	}
}

func waits(c *Call) bool { return c.Outcome == Pending }

// fullDisks returns a bit for each member that has reported a full disk.
func (s *Sim) fullDisks() (set uint64) {
	for _, h := range s.hosts {
		if h.proc != nil && h.proc.shell.Writer.Full() {
			set |= 1 << h.i
		}
	}
	return set
}

// mustRead reports whether a linearizable read at its member must be answered: the member leads, and does not report
// that reads wait.
func (s *Sim) mustRead(c *Call) bool {
	return int(c.at.seen.Primary) == c.Host && !strings.Contains(c.at.seen.Problem, "reads wait")
}

// callAll begins a command and a linearizable read at each member that has its memory.
func (s *Sim) callAll(r world.Stream) (calls []*Call) {
	for _, h := range s.hosts {
		if h.proc == nil {
			continue
		}
		s.final += 2
		command, read := s.finalCommand(h.i, firstFinal+s.final, r), s.finalCall(h.i, firstFinal+s.final+1, nothingRead)
		for _, c := range []*Call{command, read} {
			if s.call(h.proc, c); !h.lost {
				calls = append(calls, c)
			}
		}
	}
	return calls
}
