// Package wal stores the log of one replica on disk: the durable state listed in docs/PROTOCOL.md,
// section 2, except snapshots. It does not interpret the numbers and bytes that it stores. The file
// format.go describes the format; F1 to F19 in docs/FAULTS.md are the faults that the log survives.
//
// The package assumes that a disk writes sectors of 512 bytes; that a crash may leave any sector
// old, new or filled with garbage; that a rename takes effect as a whole or not at all; and that
// data written before a successful sync either stays intact or, if it rots, no longer matches its
// CRC32C checksum.
package wal

import (
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/smr-go/smr/internal/vfs"
)

// Head is the state that a replica keeps in addition to its entries. The log does not interpret
// it.
type Head struct {
	Group, Incarnation, Known  [16]byte
	Start, Epoch, View, Commit uint64
}

// Record is an entry of the log. Its data is opaque: Data, followed by More, so that a large part
// need not be copied behind a small one before it is saved. A record that is read has all in Data.
type Record struct {
	Op, Epoch, View uint64
	Data, More      []byte
}

func (r *Record) size() int { return len(r.Data) + len(r.More) }

func (r *Record) stamp() Stamp { return Stamp{Epoch: r.Epoch, View: r.View, Op: r.Op} }

// Stamp is a viewstamp.
type Stamp struct{ Epoch, View, Op uint64 }

// Save is one change of the log. After a crash the log contains all of it or none.
type Save struct {
	Head    Head     // the complete head as of this save
	From    uint64   // if above 0, the first op dropped: records from this op on are dropped first
	Records []Record // consecutive, the first one following the last record that was not dropped
	Base    *Stamp   // if set, the log is first emptied and continues after this stamp (C3); From is then 0 or Base.Op+1
}

// Options configures Open.
type Options struct {
	// Identity names the group and the replica in at most 256 bytes. Open refuses a directory with
	// another identity (F17).
	Identity string
	// SegmentSize is the number of bytes preallocated for a segment. A segment that begins with a
	// larger batch is as large as necessary. Zero means 64 MiB.
	SegmentSize int64
	// Unused reports whether a head belongs to a replica that has stored nothing yet. Open lets another
	// replica or group use a directory that has no segment and only such heads. Nil: never.
	Unused func(Head) bool
	// MustExist makes Open return ErrMissing where it would otherwise begin a log.
	MustExist bool
}

const (
	defaultSegmentSize = 64 << 20
	minSegmentSize     = 8 * sector
)

// Log is an open log. Its methods may be called concurrently. Save, Mark and Compact exclude one
// another; the readers run alongside them.
type Log struct {
	fs   vfs.FS
	dir  string
	opt  Options
	lock io.Closer
	// folder is dir, opened before the first write: once a byte is written, no save needs another descriptor.
	folder vfs.Dir
	heads

	writing  sync.Mutex   // held by Save, Mark, Compact and Close; guards the fields up to mu
	serial   uint64       // serial of the last save; this save and all earlier ones are synced
	chain    uint32       // checksum of the last save
	next     uint64       // number of the next segment to be created
	active   *segment     // the segment that batches are appended to; nil until the first batch after Open
	reserved atomic.Int64 // size of the file in reserve; 0 if it does not exist
	buf      []byte       // the encoded batch
	saves    []save       // the saves of the batch
	places   []placed     // the records of saves
	leftover []string     // files that Compact could not remove, because the system was short of something

	mu       sync.RWMutex // guards the fields below; writers change them holding both locks
	state    state
	segments []*segment // numbers rise without gaps
	dead     error      // set once and then returned by every method that can fail (F12)
}

// Head returns the head of the last save; it is zero for a fresh directory.
func (l *Log) Head() Head {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.state.head
}

// Bounds returns the stamp before the log's first record and the stamp of its last record. The log
// holds the ops from base.Op+1 to last.Op.
func (l *Log) Bounds() (base, last Stamp) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.state.base, l.state.last()
}

// Stamps returns the first stamp of each run of records with equal epoch and view, from which the
// stamp of every record follows.
func (l *Log) Stamps() []Stamp {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Clone(l.state.runs)
}

// Close writes the idle mark unless the log is dead, closes all files and releases the lock.
// Calling it again has no effect.
func (l *Log) Close() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if errors.Is(l.err(), ErrClosed) {
		return nil
	}
	var err error
	if l.err() == nil {
		err = l.mark()
	}
	l.mu.Lock()
	l.dead = ErrClosed
	segments := l.segments
	l.segments = nil
	l.mu.Unlock()
	for _, s := range segments {
		err = errors.Join(err, s.release())
	}
	return errors.Join(err, l.heads.close(), l.folder.Close(), l.lock.Close())
}

func (l *Log) err() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.dead
}

// die makes err final (F12): after a failed write or sync the content of the disk is unknown, so
// every later call reports the error and none retries.
func (l *Log) die(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = &deadError{err}
	return l.dead
}
