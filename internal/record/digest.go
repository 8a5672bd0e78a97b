package record

import (
	"crypto/sha256"

	"github.com/smr-go/smr/internal/vsr"
)

// digest computes the digest of a turn: the first 8 bytes of the SHA-256 hash of its events with their results, of the
// header of its messages, and of its output, encoded. Its memory is bounded by the largest message or entry.
type digest struct{ f fields }

func newDigest() digest { return digest{fields{hash: sha256.New()}} }

// results adds an event that the core has handled.
func (d *digest) results(e vsr.Event) {
	d.f.visit(&e)
	d.f.drain()
}

// output adds the header and the output, and returns the digest of the turn. The next call begins another turn.
func (d *digest) output(h vsr.Header, o *vsr.Output) uint64 {
	d.f.visit(&h, o)
	d.f.drain()
	sum := le.Uint64(d.f.hash.Sum(nil))
	d.f.hash.Reset()
	return sum
}
