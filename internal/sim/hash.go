package sim

import (
	"encoding/binary"

	"github.com/smr-go/smr/internal/vsr"
)

// runHash is the hash of a run: of all events and of the contents of messages, saves, results and reads. The same seed
// gives the same hash.
type runHash uint64

// mix adds a number to the hash.
func (t *runHash) mix(n uint64) {
	x := (uint64(*t) ^ n) * 1099511628211
	*t = runHash(x ^ x>>29)
}

// mixBytes adds bytes to the hash.
func (t *runHash) mixBytes(b []byte) { *t = runHash(mix(uint64(*t), b)) }

// mixMessage adds an encoded message, which ends with a checksum of the whole.
func (t *runHash) mixMessage(b []byte) { t.mix(binary.LittleEndian.Uint64(b[len(b)-8:])) }

// mixEntries adds entries to the hash.
func (t *runHash) mixEntries(entries []vsr.Entry) {
	for i := range entries {
		e := &entries[i]
		t.mix(uint64(e.Op)<<32 ^ uint64(e.View)<<16 ^ uint64(e.Epoch)<<8 ^ uint64(e.Kind))
		t.mix(uint64(e.Time) ^ e.Session<<48 ^ e.Request<<24 ^ e.Floor)
		t.mixBytes(e.Body)
	}
}

// mixValue adds the value that a read returned, if its type has the same bytes in every process.
func (t *runHash) mixValue(v any) {
	switch v := v.(type) {
	case interface{ Digest() uint64 }:
		t.mix(v.Digest())
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

// mix adds bytes to a sum that is the same in every process.
func mix(sum uint64, b []byte) uint64 {
	for ; len(b) >= 8; b = b[8:] {
		sum = (sum ^ binary.LittleEndian.Uint64(b)) * 0x9e3779b97f4a7c15
		sum ^= sum >> 31
	}
	for _, c := range b {
		sum = (sum ^ uint64(c)) * 1099511628211
	}
	return sum
}
