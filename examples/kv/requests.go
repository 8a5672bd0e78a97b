package main

import "github.com/google/btree"

// remembered is the number of requests whose answers are kept. It must be the same on all replicas.
const remembered = 10_000

// request is a named write that has taken effect.
type request struct {
	ID     string
	Answer answer
}

// requests holds the answers of the most recent named writes, by name in order to find them and by op in
// order to forget the oldest. It is part of the replicated state: which requests are forgotten depends
// only on the order of the operations.
type requests struct {
	byID *btree.BTreeG[request]
	byOp *btree.BTreeG[request]
}

func newRequests() requests {
	return requests{
		byID: btree.NewG(degree, func(a, b request) bool { return a.ID < b.ID }),
		byOp: btree.NewG(degree, func(a, b request) bool { return a.Answer.Op < b.Answer.Op }),
	}
}

// answer returns the answer of a request that has taken effect, and whether it has. A write without a
// name is always new.
func (r requests) answer(id string) (answer, bool) {
	known, ok := r.byID.Get(request{ID: id})
	return known.Answer, ok
}

// remember stores the answer of a request that has just taken effect, and forgets the oldest request if
// there are more than remembered.
func (r requests) remember(id string, a answer) {
	if id == "" {
		return
	}
	r.byID.ReplaceOrInsert(request{id, a})
	r.byOp.ReplaceOrInsert(request{id, a})
	if r.byOp.Len() > remembered {
		oldest, _ := r.byOp.DeleteMin()
		r.byID.Delete(oldest)
	}
}
