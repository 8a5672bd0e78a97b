package wal

import (
	"fmt"
	"slices"
	"sort"
)

// state is the result of replaying the saves, with places instead of the records' data.
type state struct {
	head  Head
	base  Stamp   // stamp before the first record
	runs  []Stamp // first stamp of each run of equal epoch and view; runs[0].Op == base.Op+1
	index []place // place of op base.Op+1+i at index i; segments and offsets rise
}

func (s *state) lastOp() uint64 { return s.base.Op + uint64(len(s.index)) }

func (s *state) last() Stamp { return s.stamp(s.lastOp()) }

// stamp returns the stamp of op, which must lie between base.Op and lastOp.
func (s *state) stamp(op uint64) Stamp {
	if op == s.base.Op {
		return s.base
	}
	r := s.runs[s.run(op)]
	return Stamp{Epoch: r.Epoch, View: r.View, Op: op}
}

// run returns the index of the last run that begins at or before op, or -1 if none does.
func (s *state) run(op uint64) int {
	return sort.Search(len(s.runs), func(i int) bool { return s.runs[i].Op > op }) - 1
}

// apply applies the change of a save. It returns an error if the save does not continue the log.
func (s *state) apply(c *change) error {
	switch {
	case c.reset, c.from > 0 && c.from <= s.base.Op:
		// Only a replay reaches the second case: the segment with the records that the save
		// followed has been compacted away since.
		s.base, s.runs, s.index = c.prev, nil, nil
	case c.from > 0 && c.from <= s.lastOp():
		s.index = s.index[:c.from-1-s.base.Op]
		s.runs = s.runs[:s.run(c.from-1)+1]
	}
	if last := s.last(); last != c.prev {
		return fmt.Errorf("the save continues %v, but the log ends with %v", c.prev, last)
	}
	for i := range c.records {
		if err := s.add(&c.records[i]); err != nil {
			return err
		}
	}
	s.head = c.head
	return nil
}

func (s *state) add(r *placed) error {
	if r.Op != s.lastOp()+1 {
		return fmt.Errorf("op %d follows op %d, but ops are consecutive", r.Op, s.lastOp())
	}
	if n := len(s.runs); n == 0 || s.runs[n-1].Epoch != r.Epoch || s.runs[n-1].View != r.View {
		s.runs = append(s.runs, r.Stamp)
	}
	s.index = append(s.index, r.place)
	return nil
}

// drop drops the records up to op, which becomes the base.
func (s *state) drop(op uint64) {
	base, i := s.stamp(op), s.run(op)
	s.index = slices.Clone(s.index[op-s.base.Op:])
	s.base = base
	switch {
	case len(s.index) == 0:
		s.runs = nil
	case i >= 0 && (i+1 == len(s.runs) || s.runs[i+1].Op > op+1):
		s.runs = slices.Clone(s.runs[i:])
		s.runs[0].Op = op + 1
	default:
		s.runs = slices.Clone(s.runs[i+1:])
	}
}

// lastIn returns the highest op stored in the given segment or an earlier one, or base.Op if they hold
// no op.
func (s *state) lastIn(segment uint64) uint64 {
	n := sort.Search(len(s.index), func(i int) bool { return uint64(s.index[i].segment) > segment })
	return s.base.Op + uint64(n)
}
