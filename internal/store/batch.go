package store

import (
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
	"github.com/smr-go/smr/internal/wire"
)

// keptRecords is the number of records up to which the memory of a batch is always reused for the next.
const keptRecords = 1 << 10

// Batch encodes the core's saves as saves of the log. The zero value is ready to use. The owner of the log owns the batch.
type Batch struct {
	bytes   []byte
	saves   []wal.Save
	records []wal.Record
}

// Encode returns the saves as records, which share the bodies of the entries. The result is valid until the next call,
// which reuses its memory.
func (x *Batch) Encode(saves []*vsr.Save) []wal.Save {
	b, batch, records := x.room(saves)
	for _, s := range saves {
		first := len(records)
		for i := range s.Entries {
			e := &s.Entries[i]
			start := len(b)
			b = wire.AppendEntryHead(b, e)
			records = append(records, wal.Record{Op: uint64(e.Op), Epoch: uint64(e.Epoch), View: uint64(e.View), Data: b[start:], More: e.Body})
		}
		out := wal.Save{Head: headOut(s.Head), From: uint64(s.From), Records: records[first:]}
		if s.Base != nil {
			out.Base = &wal.Stamp{Epoch: uint64(s.Base.Epoch), View: uint64(s.Base.View), Op: uint64(s.Base.Op)}
		}
		batch = append(batch, out)
	}
	x.bytes, x.saves, x.records = b, batch, records
	return batch
}

// Release releases the bodies that the last result of Encode shares.
func (x *Batch) Release() { clear(x.records) }

// room returns the buffers, empty and large enough for the saves: records point into b, so it must not move while it grows.
func (x *Batch) room(saves []*vsr.Save) (b []byte, batch []wal.Save, records []wal.Record) {
	b, batch, records = x.bytes[:0], x.saves[:0], x.records[:0]
	count := 0
	for _, s := range saves {
		count += len(s.Entries)
	}
	if cap(records) < count || cap(records) > 8*max(count, keptRecords) {
		records = make([]wal.Record, 0, count+count/4)
		b = make([]byte, 0, cap(records)*wire.EntryOverhead)
	}
	return b, batch, records
}

// LogBytes returns the bytes that an entry takes in the log. The heads of saves, and what fills up the last sector of a
// sync, come on top.
func LogBytes(e *vsr.Entry) int64 { return wal.RecordBytes(wire.EntryOverhead + len(e.Body)) }
