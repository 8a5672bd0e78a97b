package wal

import "errors"

// Compact drops segments from the front that hold only ops up to keep, and, while those that hold
// only ops up to snapshot have more than maxBytes, more of these; never any op above snapshot. It
// returns the first op that the log then holds. The last segment stays. What counts is what files take of the
// disk: a crash may leave one that is longer than what it holds.
//
// It first saves in both copies of the head which segment is the first that counts: a crash after
// that leaves files that the next Open removes. A file that cannot be removed is an error that
// leaves the log alive.
func (l *Log) Compact(keep, snapshot uint64, maxBytes int64) (first uint64, err error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.err(); err != nil {
		return 0, err
	}
	n := l.droppable(min(keep, snapshot), snapshot, maxBytes)
	if n == 0 {
		return l.state.base.Op + 1, nil
	}
	c := headCopy{mark: l.serial, first: l.segments[n].number, head: l.state.head}
	if err := l.heads.write(c, true); err != nil {
		return 0, l.die(err)
	}
	err = l.remove(l.forget(n))
	return l.state.base.Op + 1, err
}

// droppable returns how many segments may go.
func (l *Log) droppable(keep, snapshot uint64, maxBytes int64) int {
	n, below, bytes := 0, 0, int64(0)
	for i, s := range l.segments[:max(0, len(l.segments)-1)] {
		switch last := l.state.lastIn(s.number); {
		case last <= keep || last == l.state.base.Op: // the latter holds none that counts
			n, below = i+1, i+1
		case last <= snapshot:
			below = i + 1
			bytes += s.size
		}
	}
	for ; n < below && bytes > maxBytes; n++ {
		bytes -= l.segments[n].size
	}
	return n
}

// forget takes the first n segments out of the log.
func (l *Log) forget(n int) []*segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	dropped := l.segments[:n:n]
	l.state.drop(l.state.lastIn(dropped[n-1].number))
	l.segments = append([]*segment(nil), l.segments[n:]...)
	return dropped
}

// remove closes and unlinks, oldest first. The entries need no sync: those that come back are
// below the first segment that counts.
func (l *Log) remove(dropped []*segment) error {
	var err error
	for _, s := range dropped {
		err = errors.Join(err, s.release(), l.fs.Remove(s.name))
	}
	return err
}
