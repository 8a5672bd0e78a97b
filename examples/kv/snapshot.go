package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/google/btree"
	"github.com/hashicorp/go-msgpack/v2/codec"
)

// A snapshot is a sequence of msgpack values: a header, the pairs in the order of their keys, and the
// remembered requests in the order of their ops.
//
//	[format, applied, P, R]  [key, value] × P  [id, [op, outcome, value]] × R

// snapshotFormat is the version of this format.
const snapshotFormat = 1

type snapshotHeader struct {
	Format   int
	Applied  uint64
	Pairs    int
	Requests int
}

// frozen is a copy of a store at one moment. Its trees share their unchanged nodes with those of the store.
type frozen struct {
	header   snapshotHeader
	pairs    *btree.BTreeG[pair]
	requests *btree.BTreeG[request]
}

// Snapshot clones the trees in O(1).
func (s *store) Snapshot() (io.WriterTo, error) {
	f := &frozen{pairs: s.pairs.Clone(), requests: s.requests.byOp.Clone()}
	f.header = snapshotHeader{snapshotFormat, s.applied, f.pairs.Len(), f.requests.Len()}
	return f, nil
}

// WriteTo writes the snapshot.
func (f *frozen) WriteTo(w io.Writer) (int64, error) {
	counted := &countingWriter{w: w}
	buffered := bufio.NewWriter(counted)
	encoder := codec.NewEncoder(buffered, packed)
	err := encoder.Encode(f.header)
	f.pairs.Ascend(func(p pair) bool {
		err = errors.Join(err, encoder.Encode(p))
		return err == nil
	})
	f.requests.Ascend(func(r request) bool {
		err = errors.Join(err, encoder.Encode(r))
		return err == nil
	})
	return counted.n, errors.Join(err, buffered.Flush())
}

// countingWriter counts the bytes written to an io.Writer.
type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// Restore reads a snapshot. It replaces the store only after it has read the whole snapshot.
func (s *store) Restore(r io.Reader) error {
	decoder := codec.NewDecoder(bufio.NewReader(r), packed)
	var h snapshotHeader
	if err := decoder.Decode(&h); err != nil {
		return fmt.Errorf("header of the snapshot: %w", err)
	}
	if h.Format != snapshotFormat {
		return fmt.Errorf("the snapshot is of format %d, this kv reads %d: run the version that wrote it", h.Format, snapshotFormat)
	}
	restored := newStore()
	restored.applied = h.Applied
	if err := restored.fill(decoder, h); err != nil {
		return err
	}
	*s = *restored
	return nil
}

func (s *store) fill(decoder *codec.Decoder, h snapshotHeader) error {
	for i := range h.Pairs {
		var p pair
		if err := decoder.Decode(&p); err != nil {
			return fmt.Errorf("pair %d of %d of the snapshot: %w", i+1, h.Pairs, err)
		}
		s.pairs.ReplaceOrInsert(p)
	}
	for i := range h.Requests {
		var r request
		if err := decoder.Decode(&r); err != nil {
			return fmt.Errorf("request %d of %d of the snapshot: %w", i+1, h.Requests, err)
		}
		s.requests.remember(r.ID, r.Answer)
	}
	return nil
}
