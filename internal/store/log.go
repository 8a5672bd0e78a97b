package store

import (
	"fmt"

	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
	"github.com/smr-go/smr/internal/wire"
)

// readBytes is the approximate number of bytes of a log that Read returns at most.
const readBytes = 1 << 20

// Read returns consecutive entries of the log: the one at from and some of those up to to. It returns an error of
// internal/wal, or ErrCorrupt if a record does not hold its entry.
func Read(log *wal.Log, from, to vsr.OpNumber) ([]vsr.Entry, error) {
	records, err := log.Read(uint64(from), uint64(to), readBytes)
	if err != nil {
		return nil, err
	}
	entries := make([]vsr.Entry, len(records))
	for i, x := range records {
		e, rest, err := wire.DecodeEntry(x.Data)
		if err == nil && (len(rest) > 0 || uint64(e.Op) != x.Op) {
			err = fmt.Errorf("record %d holds op %d and %d bytes more", x.Op, e.Op, len(rest))
		}
		if err != nil {
			return nil, fmt.Errorf("%w: op %d: %w", ErrCorrupt, x.Op, err)
		}
		entries[i] = e
	}
	return entries, nil
}

// Recover returns what the core starts from: the log, and the latest snapshot, which the caller has restored, with the
// time of its last op. latest is nil if there is no snapshot. Recover reads only the last entry and the formation of the
// group; Read returns the others when the core asks for them.
func Recover(log *wal.Log, latest *vsr.Snapshot, clock int64) (vsr.Durable, error) {
	base, last := log.Bounds()
	d := vsr.Durable{Head: headIn(log.Head()), Base: stampIn(base), Last: stampIn(last), Snapshot: latest, Time: clock}
	for _, run := range log.Stamps() {
		d.Runs = append(d.Runs, stampIn(run))
	}
	from := vsr.OpNumber(0)
	if latest != nil {
		from = latest.Last.Op
	}
	if d.Base.Op > from {
		return d, fmt.Errorf("%w: the log begins after op %d, and no sound snapshot reaches that far", ErrCorrupt, d.Base.Op)
	}
	if d.Base.Op == 0 && d.Last.Op > 0 {
		first, err := Read(log, 1, 1)
		if err != nil {
			return d, err
		}
		d.First = &first[0]
	}
	if d.Last.Op > from {
		var err error
		if d.Entries, err = Read(log, d.Last.Op, d.Last.Op); err != nil {
			return d, err
		}
	}
	return d, nil
}
