package wal

import (
	"errors"
	"fmt"

	"github.com/smr-go/smr/internal/vfs"
)

const (
	maxBatch  = 1 << 34 // limit in bytes: a place stores an offset in the segment in units of 8 bytes
	keepBatch = 1 << 20 // size in bytes above which the buffer is not reused for the next batch
)

// Save makes saves durable, in order. It takes one sync; two if the saves only change the head, or
// if they change the head in more than Commit; and a few more when a segment begins. The saves are
// durable when Save returns nil. A crash before that may leave any prefix of them. Save does
// nothing if saves is empty, or if it only sets the head to its present value.
//
// If the disk is full, or the system short of descriptors, memory or the like, Save returns an error for which
// vfs.Refused is true and changes nothing; other saves may be tried later (F13). The disk counts as full if the saves
// and a segment in reserve do not both fit. Saves without Records, From and Base need no space and succeed even then.
// Saves that do not continue the log are rejected and change nothing. After any other error the log is dead (F12).
func (l *Log) Save(saves []Save) error { return l.save(saves, false) }

// SaveInReserve is Save, and may use up the segment in reserve.
func (l *Log) SaveInReserve(saves []Save) error { return l.save(saves, true) }

func (l *Log) save(saves []Save, reserve bool) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.err(); err != nil || len(saves) == 0 {
		return err
	}
	size, err := l.prepare(saves)
	if err != nil {
		return err
	}
	if headsOnly(saves) {
		return l.saveHead(saves[len(saves)-1].Head)
	}
	if err := l.write(saves, size, reserve); err != nil {
		return err
	}
	if withoutCommit(l.state.head) != withoutCommit(l.latest.head) {
		return l.writeHead(l.state.head, false) // the second copy; the first one is in the log
	}
	return nil
}

func headsOnly(saves []Save) bool {
	for i := range saves {
		if s := &saves[i]; s.From > 0 || s.Base != nil || len(s.Records) > 0 {
			return false
		}
	}
	return true
}

// withoutCommit returns h without Commit, the field on which safety does not depend.
func withoutCommit(h Head) Head {
	h.Commit = 0
	return h
}

// prepare checks that saves continue the log and fills l.saves with the fields that do not depend
// on the place of the batch. It returns the size of the batch.
func (l *Log) prepare(saves []Save) (size int64, err error) {
	l.saves = l.saves[:0]
	base, last := l.state.base, l.state.last()
	for i := range saves {
		s := &saves[i]
		switch {
		case s.Base != nil && (s.From == 0 || s.From == s.Base.Op+1):
			base, last = *s.Base, *s.Base
		case s.Base != nil || s.From > last.Op+1 || s.From > 0 && s.From <= base.Op:
			return 0, fmt.Errorf("save drops records from op %d, but the log holds ops %d to %d", s.From, base.Op+1, last.Op)
		case s.From > 0:
			last = l.stampIn(saves[:i], s.From-1)
		}
		l.saves = append(l.saves, save{change: change{head: s.Head, from: s.From, reset: s.Base != nil, prev: last}})
		for j := range s.Records {
			if s.Records[j].Op != last.Op+1 {
				return 0, fmt.Errorf("save has op %d after op %d, but ops are consecutive", s.Records[j].Op, last.Op)
			}
			last = s.Records[j].stamp()
		}
		size += savedSize(s)
	}
	if size > maxBatch {
		return 0, fmt.Errorf("saves take %d bytes at once; the limit is %d", size, int64(maxBatch))
	}
	return pad(size, sector), nil
}

// stampIn returns the stamp of op after saves, which are not applied yet.
func (l *Log) stampIn(saves []Save, op uint64) Stamp {
	for i := len(saves) - 1; i >= 0; i-- {
		s := &saves[i]
		if n := len(s.Records); n > 0 && op >= s.Records[0].Op && op <= s.Records[n-1].Op {
			return s.Records[op-s.Records[0].Op].stamp()
		}
		if s.Base != nil && op == s.Base.Op {
			return *s.Base
		}
	}
	return l.state.stamp(op)
}

// write makes the prepared saves durable as one batch, in the active segment or in a new one.
func (l *Log) write(saves []Save, size int64, reserve bool) error {
	if !reserve {
		if err := l.reserve(); vfs.Refused(err) {
			return err
		} else if err != nil {
			return l.die(err)
		}
	}
	if !l.active.room(size) {
		return l.roll(saves, size, reserve)
	}
	if err := l.active.append(l.encode(saves, l.active.seed, l.active.number, l.active.end, 0, l.serial)); err != nil {
		return l.die(err)
	}
	return l.commit(nil)
}

// roll begins a new segment with saves. The mark in its header covers them because the file gets
// its name only after it is synced. The head then records the mark too, so that Open notices if the
// whole file is lost.
func (l *Log) roll(saves []Save, size int64, reserve bool) error {
	h := segmentHeader{
		segment:  l.next,
		first:    l.serial + 1,
		mark:     l.serial + uint64(len(saves)),
		chain:    l.chain,
		identity: l.opt.Identity,
	}
	s, err := l.newSegment(h, sector+size, reserve, func(seed uint32) []byte {
		return l.encode(saves, seed, h.segment, sector, sector, h.mark)
	})
	switch dead := (*deadError)(nil); {
	case errors.As(err, &dead):
		return l.die(dead.err)
	case vfs.Refused(err):
		return err
	case err != nil:
		return l.die(err)
	}
	if err := l.commit(s); err != nil {
		return err
	}
	return l.writeHead(l.state.head, false)
}

// encode lays out the batch after lead bytes of zeros, and completes l.saves.
func (l *Log) encode(saves []Save, seed uint32, segment uint64, offset int64, lead int, mark uint64) []byte {
	b := append(l.buf[:0], make([]byte, lead)...)
	l.places = l.places[:0]
	chain := l.chain
	for i := range saves {
		s := &l.saves[i]
		s.serial, s.segment, s.mark, s.chain = l.serial+uint64(i)+1, segment, mark, chain
		s.offset = offset + int64(len(b)-lead)
		s.records = l.places[len(l.places):]
		b = appendSave(b, seed, s, saves[i].Records)
		l.places = append(l.places, s.records...)
		chain = s.check
	}
	b = append(b, make([]byte, pad(int64(len(b)), sector)-int64(len(b)))...)
	l.buf = b
	return b
}

// commit applies the batch, which is durable, to the state. fresh is the segment created for it, or
// nil.
func (l *Log) commit(fresh *segment) error {
	l.mu.Lock()
	if fresh != nil {
		l.segments = append(l.segments, fresh)
	}
	for i := range l.saves {
		if err := l.state.apply(&l.saves[i].change); err != nil {
			panic("wal: prepared saves do not follow on: " + err.Error())
		}
	}
	l.mu.Unlock()
	last := &l.saves[len(l.saves)-1]
	l.serial, l.chain = last.serial, last.check
	if cap(l.buf) > keepBatch {
		l.buf, l.places = nil, nil
	}
	if fresh == nil {
		return nil
	}
	return l.activate(fresh)
}

// activate makes s the segment for later batches, and trims the one before it.
func (l *Log) activate(s *segment) error {
	l.active, l.next = s, s.number+1
	if n := len(l.segments); n > 1 {
		if err := l.segments[n-2].trim(); err != nil {
			return l.die(err)
		}
	}
	return nil
}

// saveHead saves a head alone. It writes both copies because the log contains none.
func (l *Log) saveHead(h Head) error {
	if h == l.state.head {
		return nil
	}
	if err := l.writeHead(h, true); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state.head = h
	return nil
}

// writeHead writes h and the present mark to one copy of the head, or to both.
func (l *Log) writeHead(h Head, both bool) error {
	if err := l.heads.write(headCopy{mark: l.serial, first: l.first(), head: h}, both); err != nil {
		return l.die(err)
	}
	return nil
}

// first returns the number of the first segment; without segments, the number of the next one.
func (l *Log) first() uint64 {
	if len(l.segments) == 0 {
		return l.next
	}
	return l.segments[0].number
}

// Mark records in both copies of the head that all saves are synced, so that rot in the last save
// can be distinguished from a torn write (S5), even if one copy of the head rots too. It does
// nothing if both copies record that already. Call it when the log is idle.
func (l *Log) Mark() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.err(); err != nil {
		return err
	}
	return l.mark()
}

func (l *Log) mark() error {
	if min(l.marks[0], l.marks[1]) >= l.serial {
		return nil
	}
	return l.writeHead(l.state.head, l.latest.mark < l.serial)
}
