package record

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

// FuzzDecode replaces the checksum of each record by the right one, so that the code behind it is reached. What is
// decoded is decoded again from its encoding, and decoding takes memory in proportion to the input.
func FuzzDecode(f *testing.F) {
	parts := frames(sample(f, 300*time.Millisecond))
	f.Add(bytes.Join(parts[:min(len(parts), 60)], nil))
	for _, part := range parts[1:] {
		f.Add(append(header(), part...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = decodeAll(b)
		b = sealed(b)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		starts, events := decodeAll(b)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20+400*len(b)))
		for _, s := range starts {
			require.Equal(t, s, again(t, s, (*fields).start))
		}
		for _, e := range events {
			require.Equal(t, e, again(t, e, (*fields).event))
		}
	})
}

// decodeAll decodes all sections of a recording, up to the first error.
func decodeAll(b []byte) (starts []start, events []vsr.Event) {
	in, err := newReader(bytes.NewReader(b))
	if err != nil {
		return nil, nil
	}
	s := sections{in: in}
	for m, err := s.next(); err == nil; m, err = s.next() {
		f := fields{b: m.content, reading: true}
		var now time.Time
		var x start
		var e vsr.Event
		switch m.kind {
		case startRecord:
			if f.start(&x); f.end() == nil {
				starts = append(starts, x)
			}
		case eventRecord:
			if f.visit(&now, &e); f.end() == nil {
				events = append(events, e)
			}
		}
	}
	return starts, events
}

// sealed returns a recording with the right lengths and checksums, as far as it consists of records.
func sealed(b []byte) []byte {
	b = bytes.Clone(b)
	if len(b) < headerSize {
		return b
	}
	copy(b, header())
	for at := headerSize; len(b)-at >= frameSize+checksumSize; {
		n := min(int(le.Uint32(b[at:])), len(b)-at-frameSize-checksumSize)
		le.PutUint32(b[at:], uint32(n))
		endFrame(b[at : at+frameSize+n])
		at += frameSize + n + checksumSize
	}
	return b
}
