package vsr

import "sort"

// log is the replica's log: the viewstamp of every entry in it, and the newest entries themselves.
// Older entries are loaded from disk. Epochs and views never fall along the log.
type log struct {
	base  Viewstamp   // the entry before the first; it is committed. base.Op <= last.Op
	last  Viewstamp   // the last entry; base if the log is empty
	runs  []Viewstamp // first entry of each stretch of one view, rising. runs[0].Op == base.Op+1 unless empty
	tail  []Entry     // the entries last.Op-len(tail)+1 .. last.Op. len(tail) <= last.Op-base.Op
	sizes []int64     // sizes[i] is the bytes of all entries ever appended, up to tail[i]. len(sizes) == len(tail)
	size0 int64       // the same, before tail[0]
	clock int64       // highest Time ever seen in an entry (N2)
}

// reopen initializes the log from the disk's contents.
func (l *log) reopen(d Durable) {
	l.base, l.last, l.runs, l.tail, l.clock = d.Base, d.Last, d.Runs, d.Entries, d.Time
	for i := range l.tail {
		l.sizes = append(l.sizes, l.sizeEnd()+l.tail[i].size())
		l.clock = max(l.clock, l.tail[i].Time)
	}
}

// tailFrom returns the first op that is in memory, or last.Op+1.
func (l *log) tailFrom() OpNumber { return l.last.Op + 1 - OpNumber(len(l.tail)) }

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

// append adds entries that follow the last one.
func (l *log) append(entries ...Entry) {
	for i := range entries {
		e := &entries[i]
		stamp := e.Stamp()
		if len(l.runs) == 0 || !stamp.sameView(l.last) {
			l.runs = append(l.runs, stamp)
		}
		l.last = stamp
		l.clock = max(l.clock, e.Time)
		l.tail = append(l.tail, *e)
		l.sizes = append(l.sizes, l.sizeEnd()+e.size())
	}
}

func (l *log) sizeEnd() int64 {
	if len(l.sizes) == 0 {
		return l.size0
	}
	return l.sizes[len(l.sizes)-1]
}

// cut drops the entries above op. Slices of the tail that were handed out stay valid: the next
// append uses new memory.
func (l *log) cut(op OpNumber) {
	if op >= l.last.Op {
		return
	}
	keep := 0
	if from := l.tailFrom(); op >= from {
		keep = int(op - from + 1)
	}
	l.last, _ = l.stamp(op)
	l.tail = l.tail[:keep:keep]
	l.sizes = l.sizes[:keep:keep]
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
	l.trim(op)
	i := sort.Search(len(l.runs), func(i int) bool { return l.runs[i].Op > op })
	if op < l.last.Op && (i == len(l.runs) || l.runs[i].Op > op+1) {
		i--
		l.runs[i].Op = op + 1
	}
	l.runs = append([]Viewstamp(nil), l.runs[i:]...)
	l.base = base
}

// trim drops the entries up to op from memory, not from the log. Its cost is spread over the
// appends.
func (l *log) trim(op OpNumber) {
	from := l.tailFrom()
	if op < from {
		return
	}
	n := int(min(op, l.last.Op) - from + 1)
	l.size0 = l.sizes[n-1]
	l.tail, l.sizes = l.tail[n:], l.sizes[n:]
	if cap(l.tail) > 2*len(l.tail)+64 {
		l.tail = append(make([]Entry, 0, len(l.tail)+32), l.tail...)
		l.sizes = append(make([]int64, 0, len(l.sizes)+32), l.sizes...)
	}
}

// entries returns the entries in memory from op up to to, at most max bytes of them but at least
// one. It returns nil if op is not in memory.
func (l *log) entries(op, to OpNumber, max int64) []Entry {
	from := l.tailFrom()
	to = min(to, l.last.Op)
	if op < from || op > to {
		return nil
	}
	i, j := int(op-from), int(to-from+1)
	limit := l.sizeBefore(i) + max
	n := sort.Search(j-i, func(k int) bool { return l.sizes[i+k] > limit })
	return l.tail[i : i+atLeast(n, 1)]
}

func (l *log) sizeBefore(i int) int64 {
	if i == 0 {
		return l.size0
	}
	return l.sizes[i-1]
}

// bytesAbove returns the bytes of the entries above op that are in memory.
func (l *log) bytesAbove(op OpNumber) int64 {
	from := l.tailFrom()
	if op >= l.last.Op {
		return 0
	}
	if op < from {
		return l.sizeEnd() - l.size0
	}
	return l.sizeEnd() - l.sizes[op-from]
}

// opWithin returns the lowest op, not below op, for which the entries above it have at most max
// bytes.
func (l *log) opWithin(op OpNumber, max int64) OpNumber {
	from := l.tailFrom()
	end := l.sizeEnd()
	n := sort.Search(len(l.sizes), func(i int) bool { return end-l.sizes[i] <= max })
	if end-l.size0 <= max {
		return op
	}
	return atLeast(op, from+OpNumber(n))
}

// atLeast is the built-in max, for functions with a parameter of that name.
func atLeast[T int | OpNumber](a, b T) T { return max(a, b) }
