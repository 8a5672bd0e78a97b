// Package wal is the log of one replica on disk: what PROTOCOL.md section 2 calls durable, but for
// snapshots. It knows numbers and bytes only. What it stores and how is drawn in format.go; what
// it survives is RELIABILITY.md's F1 to F18.
//
// It assumes that a disk writes sectors of 512 bytes, each of which a crash may leave old, new or
// as garbage, that a rename is whole or not at all, and that what a successful sync has written
// stays, or, when it rots, does not rot into something with the right CRC32C.
package wal

import (
	"errors"
	"io"
	"slices"
	"sync"

	"github.com/smr-go/smr/internal/vfs"
)

// Head is what a replica keeps beside its log. The log stores it and does not read it.
type Head struct {
	Group, Incarnation         [16]byte
	Start, Epoch, View, Commit uint64
}

// Record is an entry of the log; Data is opaque.
type Record struct {
	Op, Epoch, View uint64
	Data            []byte
}

func (r *Record) stamp() Stamp { return Stamp{Epoch: r.Epoch, View: r.View, Op: r.Op} }

// Stamp is a viewstamp.
type Stamp struct{ Epoch, View, Op uint64 }

// Save is one change of the log, which a crash leaves whole or takes back whole.
type Save struct {
	Head    Head     // the whole head, as of this save
	From    uint64   // if above 0: records at From and above are dropped first
	Records []Record // without gaps, from one after what is then the last
	Base    *Stamp   // if set: the log is empty after Base.Op first (C3), and From is 0 or Base.Op+1
}

// Options of Open.
type Options struct {
	// Identity names the group and the replica, in at most 256 bytes. A directory of another
	// identity is refused (F17).
	Identity string
	// SegmentSize is how many bytes a segment takes from the disk at once; a larger batch gets a
	// larger segment. Zero: 64 MiB.
	SegmentSize int64
}

const (
	defaultSegmentSize = 64 << 20
	minSegmentSize     = 8 * sector
)

// Log is an open log. Save, Mark and Compact take turns; everything else runs beside them.
type Log struct {
	fs   vfs.FS
	dir  string
	opt  Options
	lock io.Closer
	heads

	writing sync.Mutex // held by Save, Mark, Compact and Close; guards what follows
	serial  uint64     // of the last save; it and all before are synced
	chain   uint32     // its check
	next    uint64     // number of the segment to be made next
	active  *segment   // the last segment if it was made since Open: only that one is written to
	buf     []byte     // the batch being encoded
	saves   []save     // the same, decoded
	places  []placed   // the saves' records

	mu       sync.RWMutex // guards what follows, which writers change while they hold writing too
	state    state
	segments []*segment // rising and without gaps
	dead     error      // set once, returned by every later call (F12)
}

// Head returns the head of the last save; zero for a fresh directory.
func (l *Log) Head() Head {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.state.head
}

// Bounds returns the stamp before the log's first record and that of its last: it holds the ops
// from base.Op+1 to last.Op.
func (l *Log) Bounds() (base, last Stamp) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.state.base, l.state.last()
}

// Stamps returns the first stamp of each run of records with equal epoch and view, which tells the
// stamp of every record.
func (l *Log) Stamps() []Stamp {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.Clone(l.state.runs)
}

// Close writes the idle mark, unless the log is dead, and gives the directory free.
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
	return errors.Join(err, l.heads.close(), l.lock.Close())
}

func (l *Log) err() error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.dead
}

// die ends the log with err (F12): what is on disk is not known any more.
func (l *Log) die(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = &deadError{err}
	return l.dead
}
