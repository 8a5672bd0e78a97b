package sim

import (
	"fmt"

	"github.com/smr-go/smr/internal/vsr"
)

// durable is what a replica's disk is known to hold: the simulator's own account of the saves that
// were completed. base and last tell the log (see ledger).
type durable struct {
	head       vsr.Head
	base, last vsr.Viewstamp
}

// after returns what the disk holds once a save is durable too.
func (d durable) after(l *ledger, s *vsr.Save) (durable, error) {
	d.head = s.Head
	if s.Base != nil {
		d.base, d.last = *s.Base, *s.Base
	}
	if s.From > 0 && s.From <= d.last.Op {
		if s.From <= d.base.Op {
			return d, fmt.Errorf("save %d drops entries from op %d, the log begins after %v", s.Seq, s.From, d.base)
		}
		d.last = l.at(d.last, s.From-1)
	}
	for i := range s.Entries {
		stamp := s.Entries[i].Stamp()
		if r := l.find(stamp); r == nil || r.prev != d.last {
			return d, fmt.Errorf("save %d puts entry %v after %v", s.Seq, stamp, d.last)
		}
		d.last = stamp
	}
	return d, nil
}

// recovered finds out which of the saves that were under way when a replica went down have become
// durable: a first part of them, and nothing else may have happened to its disk (S5). The log may
// begin later, but not above the snapshot.
func (d durable) recovered(l *ledger, flight []*vsr.Save, f *found) (durable, error) {
	states := []durable{d}
	for i, s := range flight {
		next, err := states[i].after(l, s)
		if err != nil {
			return d, err
		}
		states = append(states, next)
	}
	for i := len(states) - 1; i >= 0; i-- {
		if x := states[i]; x.fits(l, f) {
			x.base = f.Durable.Base
			return x, x.sound(l, f)
		}
	}
	return d, fmt.Errorf("S5: the disk held %+v and after that %d saves; opened, it holds %+v %v..%v",
		d, len(flight), f.Durable.Head, f.Durable.Base, f.Durable.Last)
}

func (d durable) fits(l *ledger, f *found) bool {
	return d.head == f.Durable.Head && d.last == f.Durable.Last && f.Durable.Base.Op >= d.base.Op && l.holds(d.last, f.Durable.Base)
}

// sound checks what was read of a log: its entries and its views.
func (d durable) sound(l *ledger, f *found) error {
	for i := range f.log {
		e := &f.log[i]
		prev := l.at(d.last, e.Op-1)
		if err := l.add(prev, e); err != nil {
			return fmt.Errorf("read back: %w", err)
		}
	}
	for _, run := range f.Runs {
		if !l.holds(d.last, run) {
			return fmt.Errorf("read back: the log ends with %v, and says that it holds %v", d.last, run)
		}
	}
	return nil
}
