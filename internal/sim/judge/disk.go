package judge

import (
	"slices"

	"github.com/smr-go/smr/internal/vsr"
)

// Disk is the contents of a member's disk by the judge's own account of the saves that became durable. Base and Last
// determine the log (see ledger).
type Disk struct {
	Head       vsr.Head
	Base, Last vsr.Viewstamp
}

// Covered returns the highest op for which rot can be told from a torn write, once saves that follow are durable (S5).
// Before them it is the given one. The disk writes no head that equals the one before.
func (d Disk) Covered(before vsr.OpNumber, saves []*vsr.Save) vsr.OpNumber {
	covered, written := d.Last.Op, saves[len(saves)-1].Head != d.Head
	for _, s := range saves { // the records that they replace are covered no more
		switch {
		case s.From > 0:
			covered, written = min(covered, s.From-1), true
		case s.Base != nil:
			covered, written = min(covered, s.Base.Op), true
		case len(s.Entries) > 0:
			written = true
		}
	}
	if !written {
		return before
	}
	return covered
}

// Opened is the contents of a member's disk when the member started.
type Opened struct {
	vsr.Durable
	Log []vsr.Entry // entries above the snapshot, read back; may be left out
}

// Issued reports a save that a member's core has given out, in the turn that did, before anything else of that turn.
// The save must not change until it is durable or the member is opened again.
func (j *Judge) Issued(i int, s *vsr.Save) error {
	m := &j.members[i]
	next, err := m.memory.cut(j.ledger, s)
	if err != nil {
		return m.breaks(err)
	}
	for n := range s.Entries {
		e := &s.Entries[n]
		if e.Kind == vsr.Formation && !j.formed() {
			j.ledger.clear() // of an attempt that left no trace on any disk (S2)
		}
		if err := j.ledger.add(next.Last, e); err != nil {
			return m.breaks(err)
		}
		next.Last = e.Stamp()
	}
	m.memory = next
	m.pending = append(m.pending, s)
	return nil
}

// Saved reports that all saves of a member up to seq are durable, before its core learns that.
func (j *Judge) Saved(i int, seq uint64) (err error) {
	m := &j.members[i]
	done := 0
	for ; done < len(m.pending) && m.pending[done].Seq <= seq; done++ {
		if m.disk, err = m.disk.after(j.ledger, m.pending[done]); err != nil {
			return m.breaks(err)
		}
	}
	m.pending = slices.Delete(m.pending, 0, done)
	return m.breaks(j.checkQuorums())
}

// Opened reports that a member starts with that disk. It must hold the saves that are known to be durable, some of the
// pending ones in their order, and nothing else (S5).
func (j *Judge) Opened(i int, o Opened) error {
	m := &j.members[i]
	disk, err := m.disk.recovered(j.ledger, m.pending, &o)
	if err != nil && m.tailLost {
		disk, err = m.shortened(j.ledger, &o)
	}
	if err != nil {
		return m.breaks(err)
	}
	m.disk, m.memory, m.pending, m.applied, m.tailLost = disk, disk, nil, 0, false
	m.distrusts, m.remembers = nil, nil
	if o.Snapshot != nil {
		m.applied = o.Snapshot.Last.Op
	}
	return m.breaks(j.checkQuorums())
}

// Lost reports that a member has lost its memory. It takes no part any more (S3), and its log counts only for entries
// that were committed before (N4).
func (j *Judge) Lost(i int) {
	m := &j.members[i]
	if !m.lost {
		m.lost, m.had = true, append(m.had, m.disk.Last)
	}
}

// Wiped is Lost of a disk that is empty now.
func (j *Judge) Wiped(i int) {
	j.Lost(i)
	m := &j.members[i]
	m.disk, m.memory, m.pending, m.reportedGroup = Disk{}, Disk{}, nil, false
}

// formed reports whether any disk holds a formation.
func (j *Judge) formed() bool {
	for i := range j.members {
		if j.members[i].disk.Last.Op > 0 {
			return true
		}
	}
	return false
}

// cut returns d without the entries that a save drops.
func (d Disk) cut(l *ledger, s *vsr.Save) (Disk, error) {
	d.Head = s.Head
	if s.Base != nil {
		d.Base, d.Last = *s.Base, *s.Base
	}
	if s.From > 0 && s.From <= d.Last.Op {
		if s.From <= d.Base.Op {
			return d, violates("S5", "save %d drops entries from op %d, the log begins after %v", s.Seq, s.From, d.Base)
		}
		d.Last = l.at(d.Last, s.From-1)
	}
	return d, nil
}

// after returns d with a save.
func (d Disk) after(l *ledger, s *vsr.Save) (Disk, error) {
	d, err := d.cut(l, s)
	if err != nil {
		return d, err
	}
	for i := range s.Entries {
		stamp := s.Entries[i].Stamp()
		if r := l.find(stamp); r == nil || r.prev != d.Last {
			return d, violates("S5", "save %d puts entry %v after %v", s.Seq, stamp, d.Last)
		}
		d.Last = stamp
	}
	return d, nil
}

// recovered finds out how many of the pending saves are durable. The log may begin later than in the account, but
// not above the snapshot.
func (d Disk) recovered(l *ledger, pending []*vsr.Save, o *Opened) (Disk, error) {
	states := []Disk{d}
	for i, s := range pending {
		next, err := states[i].after(l, s)
		if err != nil {
			break // its entries were forgotten with an attempt at forming: it may not be there
		}
		states = append(states, next)
	}
	for i := len(states) - 1; i >= 0; i-- {
		if x := states[i]; x.fits(l, o) {
			x.Base = o.Durable.Base
			return x, x.sound(l, o)
		}
	}
	return d, violates("S5", "the disk held %+v and after that %d saves; opened, it holds %+v %v..%v",
		d, len(pending), o.Durable.Head, o.Durable.Base, o.Durable.Last)
}

func (d Disk) fits(l *ledger, o *Opened) bool {
	return d.Head == o.Durable.Head && d.Last == o.Durable.Last && o.Durable.Base.Op >= d.Base.Op &&
		l.holds(d.Last, o.Durable.Base)
}

// sound checks the entries and the views that were read from a log.
func (d Disk) sound(l *ledger, o *Opened) error {
	for i := range o.Log {
		e := &o.Log[i]
		if err := l.add(l.at(d.Last, e.Op-1), e); err != nil {
			return err
		}
	}
	for _, run := range o.Runs {
		if !l.holds(d.Last, run) {
			return violates("S5", "read back, the log ends with %v and claims to hold %v", d.Last, run)
		}
	}
	return nil
}

// Loaded reports the entries that a member has read from its log. They are those that l asks for, and their bodies fill a
// message at most, without the last of them (11.10).
func (j *Judge) Loaded(i int, l vsr.Load, entries []vsr.Entry) error {
	bytes := 0
	for n := range entries {
		e := &entries[n]
		if e.Op != l.From+vsr.OpNumber(n) || e.Op > l.To || n > 0 && int64(bytes) > min(l.Bytes, vsr.MaxBatch) {
			return violates("11.10", "%s reads op %d, the %d. after %d bytes, where it asks for ops %d to %d and %d bytes",
				j.members[i].id, e.Op, n+1, bytes, l.From, l.To, l.Bytes)
		}
		bytes += len(e.Body)
	}
	return nil
}
