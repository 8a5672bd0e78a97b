package wal

import (
	"path"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

// A save decodes to a value that encodes to the same bytes, and no other bytes decode.
func FuzzSave(f *testing.F) {
	const seed = 0xfeed
	for _, s := range []Save{entries(1, 1, 3), entries(2, 5, 5), {Base: &Stamp{1, 2, 3}}, {From: 9, Head: entries(3, 1, 1).Head}} {
		v := &save{serial: 4, segment: 2, offset: sector, mark: 3, chain: 9, change: change{head: s.Head, from: s.From, reset: s.Base != nil}}
		f.Add(appendSave(nil, seed, v, s.Records))
	}
	f.Add(make([]byte, saveSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, resealed := range [][]byte{b, reseal(b, seed)} {
			v, ok := parseSave(resealed, seed)
			if !ok || v.offset != sector || v.size > int64(len(resealed)) || v.size < saveSize || !parseRecords(resealed[:v.size], seed, &v) {
				continue
			}
			var records []Record
			for _, p := range v.records {
				at := p.offset() - v.offset
				r, _, ok := parseRecord(resealed[at:], seed)
				require.True(t, ok)
				require.Equal(t, p.Stamp, r.stamp())
				records = append(records, r)
			}
			again := v
			again.records = nil
			got, ok := parseSave(appendSave(nil, seed, &again, records), seed)
			require.True(t, ok)
			got.records = again.records
			require.Equal(t, len(v.records), len(got.records))
			got.check, v.check = 0, 0 // bytes that are zero on disk may be garbage in a resealed save
			got.records, v.records = nil, nil
			require.Equal(t, v, got)
		}
	})
}

// reseal corrects the checksum of a save's header so that the fuzzer reaches the code behind it.
func reseal(b []byte, seed uint32) []byte {
	b = append([]byte(nil), b...)
	if len(b) >= saveSize {
		v := save{}
		v.count, v.size = order.Uint32(b[4:]), int64(order.Uint64(b[8:]))
		v.serial, v.segment, v.offset = order.Uint64(b[16:]), order.Uint64(b[24:]), int64(order.Uint64(b[32:]))
		v.mark, v.from, v.prev = order.Uint64(b[40:]), order.Uint64(b[48:]), getStamp(b[56:])
		v.reset, v.chain, v.head = order.Uint32(b[80:]) == 1, order.Uint32(b[84:]), getHead(b[88:])
		putSave(b, seed, &v, order.Uint32(b[168:]))
	}
	return b
}

// Whatever the files contain, Open returns a log or an error. A log can be read, and reopening it
// yields the same log.
func FuzzOpen(f *testing.F) {
	base := vfs.NewMem()
	l, err := Open(base, dir, small)
	require.NoError(f, err)
	for op := uint64(1); op < 60; op += 10 {
		require.NoError(f, l.Save([]Save{entries(1, op, op+4), entries(2, op+5, op+9)}))
	}
	base.Kill()
	f.Add(false, uint16(0), []byte("smr"), true)
	f.Add(true, uint16(sector+8), []byte{0xff, 0xff, 0xff, 0x7f}, true)
	f.Add(true, uint16(minSegmentSize-4), []byte{1, 2, 3, 4}, false)
	f.Add(false, uint16(32), []byte{2}, true)
	f.Fuzz(func(t *testing.T, segment bool, off uint16, patch []byte, mend bool) {
		fs := base.Clone()
		name := path.Join(dir, HeadName)
		if segment {
			name = path.Join(dir, segmentName(2))
		}
		b, err := fs.ReadFile(name)
		require.NoError(t, err)
		copy(b[min(int(off), len(b)):], patch)
		if mend {
			seal(b[:sector])
		}
		require.NoError(t, fs.Damage(name, 0, b))
		l, err := Open(fs, dir, small)
		if err != nil {
			return
		}
		m := model{head: l.Head()}
		var last Stamp
		m.base, last = l.Bounds()
		m.records, err = l.Read(m.base.Op+1, last.Op, 1<<30)
		require.NoError(t, err)
		require.NoError(t, l.Close())
		l, err = Open(fs, dir, small)
		require.NoError(t, err)
		require.NoError(t, m.compare(l, 0))
	})
}
