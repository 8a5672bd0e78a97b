package record

import (
	"crypto/sha256"
	"hash"

	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// digest computes the digest of a turn: the first 8 bytes of the SHA-256 hash of the results of its events and of its
// output, encoded. Its memory is bounded by the largest message or entry.
type digest struct {
	hash hash.Hash
	f    fields // encodes
}

func newDigest() digest { return digest{hash: sha256.New()} }

// drain hashes the encoded bytes and discards them.
func (d *digest) drain() {
	d.hash.Write(d.f.b)
	d.f.b = reused(d.f.b)
}

// results adds the fields of an event that hold its results.
func (d *digest) results(e vsr.Event) {
	switch e := e.(type) {
	case *vsr.Propose:
		num(&d.f, &e.Number)
		d.f.failure(&e.Err)
	case *vsr.Read:
		num(&d.f, &e.Number)
	case *vsr.Handover:
		d.f.flag(&e.Begun)
	}
	d.drain()
}

// output adds the output, and returns the digest of the turn. The next call begins another turn.
func (d *digest) output(o *vsr.Output) uint64 {
	f := &d.f
	optional(f, &o.Save, d.save)
	list(f, &o.Messages, d.message)
	optional(f, &o.Restore, f.snapshot)
	list(f, &o.Apply, d.entry)
	list(f, &o.Loads, f.load)
	list(f, &o.Settled, func(x *vsr.Settled) { num(f, &x.Request); f.failure(&x.Err) })
	list(f, &o.Reads, func(x *vsr.ReadReady) { num(f, &x.Read); num(f, &x.Op) })
	optional(f, &o.Compact, func(x *vsr.Compact) { num(f, &x.Keep); num(f, &x.Snapshot) })
	list(f, &o.Chunks, func(x *vsr.ChunkWanted) { signed(f, &x.To); f.snapshotID(&x.Snapshot); num(f, &x.Chunk) })
	list(f, &o.Fetch, d.fetch)
	f.flag(&o.Retake)
	f.failure(&o.Err)
	d.drain()
	sum := le.Uint64(d.hash.Sum(nil))
	d.hash.Reset()
	return sum
}

func (d *digest) save(s *vsr.Save) {
	num(&d.f, &s.Seq)
	d.f.head(&s.Head)
	num(&d.f, &s.From)
	optional(&d.f, &s.Base, d.f.stamp)
	list(&d.f, &s.Entries, d.entry)
}

func (d *digest) entry(e *vsr.Entry) {
	d.f.entry(e)
	d.drain()
}

func (d *digest) message(m *vsr.Outgoing) {
	list(&d.f, &m.To, func(i *vsr.Index) { signed(&d.f, i) })
	d.f.b = wire.AppendMessage(d.f.b, 0, vsr.Header{}, m.Message)
	d.drain()
}

func (d *digest) fetch(x *vsr.FetchStep) {
	d.f.snapshot(&x.Snapshot)
	num(&d.f, &x.Chunk)
	written := x.Data != nil
	d.f.flag(&written)
	d.f.bytes(&x.Data)
	d.f.flag(&x.Complete)
	d.drain()
}
