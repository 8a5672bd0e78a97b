package vsr

import "sort"

// log is the replica's log: the viewstamp of every entry in it, and the newest entries themselves.
// Older entries are loaded from disk. Epochs and views never fall along the log.
type log struct {
	base  Viewstamp   // the entry before the first; it is committed. base.Op <= last.Op
	last  Viewstamp   // the last entry; base if the log is empty
	runs  []Viewstamp // first entry of each stretch of one view, rising. runs[0].Op == base.Op+1 unless empty
	tail  tail        // the entries tailFrom() .. last.Op. base.Op < tailFrom()
	clock int64       // highest Time ever seen in an entry (N2)
}

// reopen initializes the log from the disk's contents.
func (l *log) reopen(d Durable) {
	l.base, l.last, l.runs, l.clock = d.Base, d.Last, d.Runs, d.Time
	for i := range d.Entries {
		l.tail.add(&d.Entries[i])
		l.clock = max(l.clock, d.Entries[i].Time)
	}
}

// tailFrom returns the first op that is in memory, or last.Op+1.
func (l *log) tailFrom() OpNumber {
	if l.tail.empty() {
		return l.last.Op + 1
	}
	return l.tail.chunks[0].first()
}

// stamp returns the viewstamp of the entry at op, which must be base.Op or in the log.
func (l *log) stamp(op OpNumber) (Viewstamp, bool) {
	if op == l.base.Op {
		return l.base, true
	}
	if op < l.base.Op || op > l.last.Op {
		return Viewstamp{}, false
	}
	run := l.runs[sort.Search(len(l.runs), func(i int) bool { return l.runs[i].Op > op })-1]
	return Viewstamp{run.Epoch, run.View, op}, true
}

// has reports whether the log holds an entry with that viewstamp.
func (l *log) has(v Viewstamp) bool {
	s, ok := l.stamp(v.Op)
	return ok && s == v
}

// agree returns the highest op at which this log can agree with a log that holds at. Views never
// fall along a log, so up to at.Op the other log holds no entry of a view above at's, and at at.Op
// it holds at. If the result is below base.Op, only a snapshot helps.
func (l *log) agree(at Viewstamp) OpNumber {
	op := min(at.Op, l.last.Op)
	limit := sort.Search(len(l.runs), func(i int) bool {
		return Viewstamp{Epoch: l.runs[i].Epoch, View: l.runs[i].View}.Compare(Viewstamp{Epoch: at.Epoch, View: at.View}) > 0
	})
	if limit < len(l.runs) {
		op = min(op, l.runs[limit].Op-1)
	}
	if own, ok := l.stamp(op); ok && op == at.Op && own != at {
		op--
	}
	return op
}

// append adds a copy of an entry that follows the last one.
func (l *log) append(e *Entry) {
	l.end(e)
	l.tail.add(e)
}

// adopt adds entries that follow the last one. Their memory becomes the log's.
func (l *log) adopt(entries []Entry) {
	for i := range entries {
		l.end(&entries[i])
	}
	l.tail.adopt(entries)
}

// end makes e the last entry.
func (l *log) end(e *Entry) {
	stamp := e.Stamp()
	if len(l.runs) == 0 || !stamp.sameView(l.last) {
		l.runs = append(l.runs, stamp)
	}
	l.last = stamp
	l.clock = max(l.clock, e.Time)
}

// cut drops the entries above op.
func (l *log) cut(op OpNumber) {
	if op >= l.last.Op {
		return
	}
	l.last, _ = l.stamp(op)
	l.tail.cut(op)
	for n := len(l.runs); n > 0 && l.runs[n-1].Op > op; n-- {
		l.runs = l.runs[:n-1]
	}
}

// reset empties the log and makes base the entry before its first (C3).
func (l *log) reset(base Viewstamp) {
	*l = log{base: base, last: base, clock: l.clock}
}

// dropTo forgets the entries up to op, which have been compacted.
func (l *log) dropTo(op OpNumber) {
	op = min(op, l.last.Op)
	base, ok := l.stamp(op)
	if !ok || op <= l.base.Op {
		return
	}
	l.tail.trim(op)
	i := sort.Search(len(l.runs), func(i int) bool { return l.runs[i].Op > op })
	if op < l.last.Op && (i == len(l.runs) || l.runs[i].Op > op+1) {
		i--
		l.runs[i].Op = op + 1
	}
	l.runs = append([]Viewstamp(nil), l.runs[i:]...)
	l.base = base
}

// trim drops the entries up to op from memory, not from the log.
func (l *log) trim(op OpNumber) { l.tail.trim(op) }

// entries returns the entries in memory from op up to to, at most max bytes of them but at least
// one. It returns nil if op is not in memory.
func (l *log) entries(op, to OpNumber, max int64) []Entry {
	to = min(to, l.last.Op)
	if op < l.tailFrom() || op > to {
		return nil
	}
	return l.tail.list(op, to, max)
}

// bytesAbove returns the bytes of the entries above op that are in memory.
func (l *log) bytesAbove(op OpNumber) int64 {
	switch {
	case op >= l.last.Op:
		return 0
	case op < l.tailFrom():
		return l.tail.bytes()
	}
	return l.tail.end() - l.tail.endAt(op)
}

// opWithin returns the lowest op, not below op, for which the entries above it have at most max
// bytes.
func (l *log) opWithin(op OpNumber, max int64) OpNumber {
	if l.tail.bytes() <= max {
		return op
	}
	return atLeast(op, l.tail.within(max))
}

// atLeast is the built-in max, for functions with a parameter of that name.
func atLeast[T int | OpNumber](a, b T) T { return max(a, b) }
