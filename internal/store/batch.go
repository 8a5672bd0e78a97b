package store

import (
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
	"github.com/smr-go/smr/internal/wire"
)

// Batch encodes the core's saves as saves of the log. The zero value is ready to use. The owner of the log owns the batch.
type Batch struct {
	bytes   []byte
	saves   []wal.Save
	records []wal.Record
}

// Encode returns the saves as records. The result is valid until the next call, which reuses its memory.
func (x *Batch) Encode(saves []*vsr.Save) []wal.Save {
	b, batch, records := x.room(saves)
	for _, s := range saves {
		first := len(records)
		for i := range s.Entries {
			e := &s.Entries[i]
			start := len(b)
			b = wire.AppendEntry(b, e)
			records = append(records, wal.Record{Op: uint64(e.Op), Epoch: uint64(e.Epoch), View: uint64(e.View), Data: b[start:]})
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

// room returns the buffers, empty and large enough for the saves: records point into b, so it must not move while it grows.
func (x *Batch) room(saves []*vsr.Save) (b []byte, batch []wal.Save, records []wal.Record) {
	b, batch, records = x.bytes[:0], x.saves[:0], x.records[:0]
	size, count := 0, 0
	for _, s := range saves {
		count += len(s.Entries)
		for i := range s.Entries {
			size += wire.EntryOverhead + len(s.Entries[i].Body)
		}
	}
	if cap(b) < size || cap(b) > 8*max(size, 1<<20) {
		b = make([]byte, 0, size+size/4)
	}
	if cap(records) < count {
		records = make([]wal.Record, 0, count+count/4)
	}
	return b, batch, records
}
