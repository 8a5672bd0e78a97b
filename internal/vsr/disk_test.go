package vsr

import "slices"

// disk is the contents of a member's log and snapshots if the power failed now.
type disk struct {
	head     Head
	base     Viewstamp
	entries  []Entry // base.Op+1 …
	snapshot *Snapshot
	machine  machine // of the snapshot
	starts   uint64  // how often the member was started, including the starts before its disk was emptied
}

// write makes a save durable.
func (d *disk) write(s *Save) {
	d.head = s.Head
	if s.Base != nil {
		d.base, d.entries = *s.Base, nil
	}
	if s.From > 0 {
		d.entries = slices.Clone(d.entries[:s.From-d.base.Op-1])
	}
	d.entries = append(slices.Clip(d.entries), s.Entries...)
}

// durable returns the state that a replica finds on the disk when it starts.
func (d *disk) durable() Durable {
	found := Durable{Head: d.head, Base: d.base, Last: d.last(), Snapshot: d.snapshot, Time: d.machine.clock}
	before := Viewstamp{}
	for i := range d.entries {
		stamp := d.entries[i].Stamp()
		if i == 0 || !stamp.sameView(before) {
			found.Runs = append(found.Runs, stamp)
		}
		before = stamp
	}
	if d.base.Op == 0 && len(d.entries) > 0 {
		found.First = &d.entries[0]
	}
	if d.snapshot == nil || found.Last.Op > d.snapshot.Last.Op {
		found.Entries = slices.Clone(d.entries[max(len(d.entries)-1, 0):])
	}
	return found
}

// last returns the viewstamp of the last entry.
func (d *disk) last() Viewstamp {
	if n := len(d.entries); n > 0 {
		return d.entries[n-1].Stamp()
	}
	return d.base
}

// stamp returns the viewstamp of the entry at op.
func (d *disk) stamp(op OpNumber) (Viewstamp, bool) {
	if op == d.base.Op {
		return d.base, true
	}
	if op < d.base.Op || op > d.last().Op {
		return Viewstamp{}, false
	}
	return d.entries[op-d.base.Op-1].Stamp(), true
}

// load reads entries; it returns none if the first is gone.
func (d *disk) load(from, to OpNumber) []Entry {
	if from <= d.base.Op || to > d.last().Op {
		return nil
	}
	return slices.Clone(d.entries[from-d.base.Op-1 : to-d.base.Op])
}

// compact drops the log up to Keep, and more below the snapshot if that part exceeds the limit, as
// far as the log is durable.
func (d *disk) compact(c *Compact, limit int64) {
	snapshot := min(c.Snapshot, d.last().Op)
	to := max(min(c.Keep, snapshot), d.base.Op)
	kept := func() (bytes int64) {
		for op := to + 1; op <= snapshot; op++ {
			bytes += d.entries[op-d.base.Op-1].size()
		}
		return bytes
	}
	for to < snapshot && kept() > limit {
		to++
	}
	base, _ := d.stamp(to)
	d.base, d.entries = base, slices.Clone(d.entries[to-d.base.Op:])
}

// keepSnapshot makes a snapshot, with its content, the latest.
func (d *disk) keepSnapshot(s Snapshot, m machine) {
	d.snapshot, d.machine = &s, m.clone()
}
