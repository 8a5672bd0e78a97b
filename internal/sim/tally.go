package sim

import (
	"encoding/binary"

	"github.com/smr-go/smr/internal/vsr"
)

// tally is the hash of a run: of all events and of the contents of messages, saves, results and reads. The same seed
// gives the same hash.
type tally uint64

// mix adds a number to the hash.
func (t *tally) mix(n uint64) {
	x := (uint64(*t) ^ n) * 1099511628211
	*t = tally(x ^ x>>29)
}

// mixBytes adds bytes to the hash.
func (t *tally) mixBytes(b []byte) { *t = tally(mix(uint64(*t), b)) }

// mixMessage adds an encoded message, which ends with a checksum of the whole.
func (t *tally) mixMessage(b []byte) { t.mix(binary.LittleEndian.Uint64(b[len(b)-8:])) }

// mixEntries adds entries to the hash.
func (t *tally) mixEntries(entries []vsr.Entry) {
	for i := range entries {
		e := &entries[i]
		t.mix(uint64(e.Op)<<32 ^ uint64(e.View)<<16 ^ uint64(e.Epoch)<<8 ^ uint64(e.Kind))
		t.mix(uint64(e.Time) ^ e.Session<<48 ^ e.Request<<24 ^ e.Floor)
		t.mixBytes(e.Body)
	}
}

// mixValue adds the value that a read returned, if its type has the same bytes in every process.
func (t *tally) mixValue(v any) {
	switch v := v.(type) {
	case testOutput:
		t.mix(v.count)
		t.mix(v.digest)
	case string:
		t.mixBytes([]byte(v))
	case []byte:
		t.mixBytes(v)
	case int:
		t.mix(uint64(v))
	case uint64:
		t.mix(v)
	}
}
