package shell

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Check returns an error if, after a turn, what the loop holds for callers and for other members does not fit the core and
// the applier (X4, R1, V2, C2), or exceeds its limits (11.10). A driver may call it within Driver.Turned.
func (l *Loop) Check() error {
	requests, reads, _ := l.core.Pending()
	switch {
	case requests != l.calls.waiting.count:
		return fmt.Errorf("X4: %d calls wait, and the core holds %d requests of callers", l.calls.waiting.count, requests)
	case reads != l.reads.unconfirmed.count:
		return fmt.Errorf("R1: %d reads wait for a round, and the core holds %d", l.reads.unconfirmed.count, reads)
	case slices.ContainsFunc(l.reads.unapplied, func(x *Read) bool { return x.Runs(l.applied) }):
		return fmt.Errorf("R1: a read waits although op %d is applied", l.applied)
	case l.memory.state.HandingOver && len(l.handovers.waiting) == 0:
		return errors.New("V2: the primary hands its role over, and no caller waits for that")
	case len(l.jobs.waiting) > 0 && !l.jobs.restoring():
		return fmt.Errorf("C3: %d jobs wait, and the applier has nothing to restore", len(l.jobs.waiting))
	}
	if len(l.kept.list) > maxKept {
		return fmt.Errorf("11.10: %d snapshots are kept, not %d at most", len(l.kept.list), maxKept)
	}
	if err := cmp.Or(l.shell.door.messages.check("messages"), l.shell.door.proposals.check("proposals")); err != nil {
		return err
	}
	if err := l.parts.check(); err != nil {
		return err
	}
	for i := range l.kept.list {
		if x := &l.kept.list[i]; l.now.After(x.until) && !l.kept.awaited(x) {
			return fmt.Errorf("C2: the snapshot of %v is kept, and was needed until %v before", x.id.Last, l.now.Sub(x.until))
		}
	}
	return nil
}

// Rest returns an error if anything is left to be done. No part may be running, and no call, read or handover may wait.
func (s *Shell) Rest() error {
	l, door := &s.Loop, &s.door
	calls, reads := l.Waiting()
	_, _, disk := l.core.Pending()
	switch {
	case calls+reads+len(l.handovers.waiting) > 0:
		return fmt.Errorf("%d calls, %d reads and %d handovers wait, and no caller does", calls, reads, len(l.handovers.waiting))
	case !disk.IsZero():
		return fmt.Errorf("D3: the core has waited for %v for a write or read of the disk, and none is under way", l.now.Sub(disk))
	case door.messages.used.Load() != 0 || door.proposals.used.Load() != 0:
		return fmt.Errorf("N1: %d bytes of messages and %d of proposals count as waiting for a turn",
			door.messages.used.Load(), door.proposals.used.Load())
	case !s.Applier.Idle() || !s.Fetcher.Idle() || len(s.Writer.backlog)+len(s.Writer.saves) > 0 || s.Writer.compact != nil:
		return errors.New("work is left for the applier, the fetcher or the writer")
	case s.Applier.writing:
		return errors.New("C4: a snapshot counts as being written")
	}
	return nil
}
