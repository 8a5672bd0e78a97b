package store

import (
	"cmp"
	"fmt"

	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
	"github.com/smr-go/smr/internal/wire"
)

// Read returns consecutive entries of the log: the one at from, and as many as fit into about the given number of bytes,
// up to the one at to. It returns an error of internal/wal, or ErrCorrupt if a record does not hold its entry.
func Read(log *wal.Log, from, to vsr.OpNumber, bytes int) ([]vsr.Entry, error) {
	records, err := log.Read(uint64(from), uint64(to), bytes)
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

// ReadAll returns all entries after an op of the log, up to last.
func ReadAll(log *wal.Log, after, last vsr.OpNumber) (entries []vsr.Entry, err error) {
	for after < last {
		some, err := Read(log, after+1, last, 1<<20)
		if err != nil || len(some) == 0 {
			return nil, cmp.Or(err, fmt.Errorf("%w: the log ends before its end", ErrCorrupt))
		}
		entries, after = append(entries, some...), some[len(some)-1].Op
	}
	return entries, nil
}
