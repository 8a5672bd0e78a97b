package wal

import (
	"errors"
	"fmt"
	"io"
)

// maxGap is the largest gap between two records, in bytes, that is read along with them rather than
// skipped.
const maxGap = 4 << 10

// Read returns the records from op from to op to, or the first of them that together have at most
// maxBytes of data, but at least one if any exists. The caller owns the records. Read returns
// ErrCompacted if op from was compacted away, and ErrCorrupt if a record is damaged; the log stays
// alive. Read may run concurrently with Save and Compact, and sees the effects of every Save that
// returned before it began.
func (l *Log) Read(from, to uint64, maxBytes int) ([]Record, error) {
	wanted, segments, err := l.find(from, to, maxBytes)
	if err != nil {
		return nil, err
	}
	records, err := readRecords(segments, wanted)
	for _, s := range segments {
		err = errors.Join(err, s.release())
	}
	if err != nil {
		return nil, err
	}
	return records, nil
}

// find returns the places and stamps of the records, and their segments, which the caller releases.
func (l *Log) find(from, to uint64, maxBytes int) (wanted []placed, segments []*segment, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	base, last := l.state.base.Op, l.state.lastOp()
	switch {
	case l.dead != nil:
		return nil, nil, l.dead
	case from <= base:
		return nil, nil, fmt.Errorf("op %d is no longer in the log, which begins with op %d: %w", from, base+1, ErrCompacted)
	}
	var places []place
	if end := min(to, last); from <= end {
		places = l.state.index[from-base-1 : end-base]
	}
	wanted = make([]placed, fitting(places, maxBytes))
	for i := range wanted {
		wanted[i] = placed{Stamp{Op: from + uint64(i)}, places[i]}
	}
	for i, run := range wanted {
		if i == 0 || run.segment != wanted[i-1].segment {
			s := l.segments[uint64(run.segment)-l.segments[0].number]
			s.use()
			segments = append(segments, s)
		}
	}
	l.state.fillStamps(wanted)
	return wanted, segments, nil
}

// fitting returns how many of the leading records together have at most maxBytes of data, but at
// least 1 if any exists.
func fitting(places []place, maxBytes int) int {
	bytes := 0
	for i := range places {
		if bytes += int(places[i].size); bytes > maxBytes && i > 0 {
			return i
		}
	}
	return len(places)
}

// fillStamps sets the epochs and views of consecutive records.
func (s *state) fillStamps(wanted []placed) {
	if len(wanted) == 0 {
		return
	}
	run := s.run(wanted[0].Op)
	for i := range wanted {
		w := &wanted[i]
		if run+1 < len(s.runs) && s.runs[run+1].Op == w.Op {
			run++
		}
		w.Epoch, w.View = s.runs[run].Epoch, s.runs[run].View
	}
}

// readRecords reads and checks the records, with one read for those that are close together.
func readRecords(segments []*segment, wanted []placed) ([]Record, error) {
	records := make([]Record, 0, len(wanted))
	for len(wanted) > 0 {
		n := 1
		for n < len(wanted) && wanted[n].segment == wanted[0].segment && wanted[n].offset()-wanted[n-1].end() <= maxGap {
			n++
		}
		for uint32(segments[0].number) != wanted[0].segment {
			segments = segments[1:]
		}
		var err error
		if records, err = segments[0].read(records, wanted[:n]); err != nil {
			return nil, err
		}
		wanted = wanted[n:]
	}
	return records, nil
}

// read reads and checks records that are close together, and appends them to records.
func (s *segment) read(records []Record, wanted []placed) ([]Record, error) {
	start, end := wanted[0].offset(), wanted[len(wanted)-1].end()
	b := make([]byte, end-start)
	if n, err := s.file.ReadAt(b, start); err != nil && !(errors.Is(err, io.EOF) && n == len(b)) {
		return nil, (&CorruptError{File: s.name, Offset: start, Op: wanted[0].Op, Err: err}).unreadable()
	}
	for i := range wanted {
		w := &wanted[i]
		r, check, ok := parseRecord(b[w.offset()-start:w.end()-start], s.seed)
		if !ok || check != w.check || r.stamp() != w.Stamp {
			return nil, &CorruptError{File: s.name, Offset: w.offset(), Op: w.Op, Reason: "the record is not intact, or is not the one written there"}
		}
		records = append(records, r)
	}
	return records, nil
}
