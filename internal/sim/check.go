package sim

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/smr-go/smr/internal/vsr"
)

// epochView names one primary's period, and reign who had it.
type epochView struct {
	group vsr.GroupID
	epoch vsr.Epoch
	view  vsr.View
}

type reign struct {
	host  int
	start uint64
}

// record takes what a turn gives out into the ledger, before anybody else sees it.
func (s *Sim) record(p *process, out *vsr.Output) {
	if out.Save != nil {
		s.enter(p, out.Save.Entries)
	}
	if s.err == nil {
		s.learn(p, p.core.Commit())
	}
}

func (s *Sim) enter(p *process, entries []vsr.Entry) {
	for i := range entries {
		e := &entries[i]
		if e.Kind == vsr.Formation && !s.formed() {
			s.ledger.clear() // of an attempt that left no trace on any disk (S2)
		}
		prev, ok := p.core.Stamp(e.Op - 1)
		if !ok {
			s.fail("11.4", "%s saves entry %v, and has none before it", Name(p.h.i), e.Stamp())
			return
		}
		if err := s.ledger.add(prev, e); err != nil {
			s.broke(Name(p.h.i), err)
			return
		}
	}
}

// formed reports whether any disk holds a formation.
func (s *Sim) formed() bool {
	return slices.ContainsFunc(s.hosts, func(h *host) bool { return h.truth.last.Op > 0 })
}

// learn takes in that a replica knows op, and all before it, to be committed.
func (s *Sim) learn(p *process, op vsr.OpNumber) {
	if op == 0 || op == p.seen.Commit {
		return
	}
	stamp, ok := p.core.Stamp(op)
	if !ok {
		s.fail("11.2", "%s knows op %d committed, and does not hold it", Name(p.h.i), op)
		return
	}
	fresh, err := s.ledger.commit(stamp)
	if err != nil {
		s.broke(Name(p.h.i), err)
		return
	}
	for _, f := range fresh {
		if err := s.witness.replay(&s.ledger.find(f).entry); err != nil {
			s.broke("", err)
			return
		}
	}
	if len(fresh) > 0 {
		if err := cmp.Or(s.checkHolders(stamp), s.checkQuorums()); err != nil {
			s.broke(fmt.Sprintf("%s has committed %v", Name(p.h.i), stamp), err)
		}
	}
}

// checkHolders: what is committed is on Qr disks, or was on those whose memory is lost until it was (N4).
func (s *Sim) checkHolders(stamp vsr.Viewstamp) error {
	count := 0
	for _, h := range s.hosts {
		last := h.truth.last
		if h.lost {
			last = h.had
		}
		if s.ledger.holds(last, stamp) {
			count++
		}
	}
	if count < s.members.Qr {
		return fmt.Errorf("N4: %d disks hold it, not %d", count, s.members.Qr)
	}
	return nil
}

// check checks the invariants of section 11 after a turn of a process.
func (s *Sim) check(p *process) {
	if err := p.core.Check(); err != nil {
		s.broke(Name(p.h.i), err)
		return
	}
	now, was := p.core.State(), &p.seen
	switch {
	case now.Head.View < was.Head.View && now.Head.Epoch == was.Head.Epoch, now.Head.Epoch < was.Head.Epoch,
		now.Commit < was.Commit, now.Applied < was.Applied, now.Head.View < p.h.truth.head.View:
		s.fail("11.1", "%s: from view %d, commit %d, applied %d to %d, %d, %d", Name(p.h.i),
			was.Head.View, was.Commit, was.Applied, now.Head.View, now.Commit, now.Applied)
	case p.h.lost && now.Head.Group != (vsr.GroupID{}):
		s.fail("S3", "%s: its memory was lost, and it holds group %v", Name(p.h.i), now.Head.Group)
	case now.Snapshot > was.Snapshot && now.Snapshot >= now.First && !p.writer.compacts() && !s.p.Volatile:
		s.fail("11.10", "%s has a snapshot at op %d, and does not let go of its log from op %d on", Name(p.h.i), now.Snapshot, now.First)
	case now.Primary == vsr.Index(p.h.i):
		s.checkReign(p, &now)
	}
	turned := now.Phase != was.Phase || now.Head.View != was.Head.View
	p.seen = now
	if s.watcher != nil {
		s.watcher.Turned(s.now, p.h.i, &p.seen)
	}
	if turned {
		s.turned(p)
	}
}

// turned follows a change of a replica's phase or view.
func (s *Sim) turned(p *process) {
	now := &p.seen
	s.note(p.h.i, "is", uint64(now.Head.View), now.Phase, now.Head.View)
	s.stats.Views = max(s.stats.Views, uint64(now.Head.View))
	switch now.Phase {
	case vsr.Primary:
		s.happened(p.h, Led, 0)
	case vsr.InViewChange:
		s.happened(p.h, Changes, 0)
	}
}

// checkReign: one process at most is ever primary of a view (11.5, V2).
func (s *Sim) checkReign(p *process, now *vsr.State) {
	key, who := epochView{now.Head.Group, now.Head.Epoch, now.Head.View}, reign{p.h.i, now.Head.Start}
	if other, ok := s.reigns[key]; ok && other != who {
		s.fail("11.5", "view %d is led by %s of start %d and by %s of start %d", now.Head.View,
			Name(other.host), other.start, Name(who.host), who.start)
	}
	s.reigns[key] = who
}

// checkQuorums: whichever Qv members that have kept their memory change the view, the best of their
// logs holds every committed op (11.3). A log is the best of some Qv exactly if Qv-1 others are not
// better.
func (s *Sim) checkQuorums() error {
	end := s.ledger.end()
	logs := s.logs[:0]
	for _, h := range s.hosts {
		if !h.lost {
			logs = append(logs, h.truth.last)
		}
	}
	s.logs = logs
	slices.SortFunc(logs, inOrder)
	for i, log := range logs {
		if i >= s.members.Qv-1 && !s.ledger.holds(log, end) {
			return fmt.Errorf("11.3: %v is committed; a view change could choose the log that ends with %v, which does not hold it; all: %v", end, log, logs)
		}
	}
	return nil
}
