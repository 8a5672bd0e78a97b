package wal

import (
	"errors"

	"github.com/smr-go/smr/internal/vfs"
)

// Compact removes segments from the front of the log. It removes those that contain only ops up to
// keep, and then further ones as long as the segments that contain only ops up to snapshot take
// more than maxBytes. It never removes an op above snapshot, nor the last segment. It returns the
// first op that the log still holds.
//
// The limit applies to the size of the files, because a crash may leave a segment with preallocated
// space after its last batch.
//
// Compact first records in both copies of the head which segment is now the first one; after a
// crash, the next Open removes the files before it. An error from removing a file leaves the log
// alive. If the system was short of something, the next call removes the file.
func (l *Log) Compact(keep, snapshot uint64, maxBytes int64) (first uint64, err error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.err(); err != nil {
		return 0, err
	}
	n := l.droppable(min(keep, snapshot), snapshot, maxBytes)
	if n == 0 {
		return l.state.base.Op + 1, l.remove(nil)
	}
	c := headCopy{mark: l.serial, first: l.segments[n].number, head: l.state.head}
	if err := l.heads.write(c, true); err != nil {
		return 0, l.die(err)
	}
	err = l.remove(l.forget(n))
	return l.state.base.Op + 1, err
}

// droppable returns the number of segments that Compact may remove.
func (l *Log) droppable(keep, snapshot uint64, maxBytes int64) int {
	n, below, bytes := 0, 0, int64(0)
	for i, s := range l.segments[:max(0, len(l.segments)-1)] {
		switch last := l.state.lastIn(s.number); {
		case last <= keep || last == l.state.base.Op: // the latter contains no record of the log
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

// forget removes the first n segments and their records from the state and returns the segments.
func (l *Log) forget(n int) []*segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	dropped := l.segments[:n:n]
	l.state.drop(l.state.lastIn(dropped[n-1].number))
	l.segments = append([]*segment(nil), l.segments[n:]...)
	return dropped
}

// remove closes and removes the files, the oldest first, after those that an earlier call has left. The directory need
// not be synced: Open ignores and removes files before the first segment that the head names.
func (l *Log) remove(dropped []*segment) error {
	var err error
	for _, s := range dropped {
		err = errors.Join(err, s.release())
		l.leftover = append(l.leftover, s.name)
	}
	names := l.leftover
	l.leftover = nil
	for _, name := range names {
		switch failed := l.fs.Remove(name); {
		case vfs.IsShort(failed):
			l.leftover = append(l.leftover, name)
		case failed != nil:
			err = errors.Join(err, failed)
		}
	}
	return err
}
