package main

import (
	"bytes"

	"github.com/google/btree"

	"github.com/smr-go/smr"
)

// pair is a key and its value. A value is never changed in place, so a reader may keep it after Read has
// returned.
type pair struct {
	Key   string
	Value []byte
}

func keyBefore(a, b pair) bool { return a.Key < b.Key }

// store is the replicated state, a smr.StateMachine. Only smr changes it, and functions given to
// Replica.Read read it.
type store struct {
	pairs    *btree.BTreeG[pair]
	requests requests
	applied  uint64 // number of the last operation applied
}

const degree = 32 // of the trees: some 60 entries in a node

func newStore() *store {
	return &store{pairs: btree.NewG(degree, keyBefore), requests: newRequests()}
}

// Apply executes a command. If a request with its name has taken effect before, it only repeats the
// answer.
func (s *store) Apply(op smr.Op) []byte {
	s.applied = op.Number
	var c command
	if err := decode(op.Body, &c); err != nil {
		return encode(answer{Op: op.Number, Outcome: malformed})
	}
	a, again := s.requests.answer(c.Request)
	if !again {
		a = s.execute(c)
		a.Op = op.Number
		s.requests.remember(c.Request, a)
	}
	return encode(a)
}

func (s *store) execute(c command) answer {
	present, ok := s.pairs.Get(pair{Key: c.Key})
	switch {
	case c.Verb == remove:
		s.pairs.Delete(pair{Key: c.Key})
		return answer{Outcome: done}
	case c.Verb < put || c.Verb > create:
		return answer{Outcome: malformed}
	case c.Verb == swap && !ok:
		return answer{Outcome: absent}
	case c.Verb == swap && !bytes.Equal(present.Value, c.Old), c.Verb == create && ok:
		return answer{Outcome: differs, Value: present.Value}
	}
	s.pairs.ReplaceOrInsert(pair{Key: c.Key, Value: c.Value})
	return answer{Outcome: done}
}

// get returns the value of a key. It must not be changed.
func (s *store) get(key string) (value []byte, ok bool) {
	p, ok := s.pairs.Get(pair{Key: key})
	return p.Value, ok
}

// scan returns the first limit pairs whose keys are at least from and less than to, but not more than
// rangeBytes of them unless the first alone has more. An empty to sets no upper bound. If others
// follow, more is set and next is the key of the first.
func (s *store) scan(from, to string, limit int) (found []pair, next string, more bool) {
	size := 0
	s.pairs.AscendGreaterOrEqual(pair{Key: from}, func(p pair) bool {
		if to != "" && p.Key >= to {
			return false
		}
		size += pairBytes(p)
		if len(found) == limit || len(found) > 0 && size > rangeBytes {
			next, more = p.Key, true
			return false
		}
		found = append(found, p)
		return true
	})
	return found, next, more
}
