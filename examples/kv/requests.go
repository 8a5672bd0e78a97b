package main

import "github.com/google/btree"

// remembered is the number of requests whose answers are kept. All replicas must agree on it.
const remembered = 10_000

// request is a named write that has taken effect.
type request struct {
	ID     string
	Answer answer
}

// requests holds the answers of the last named writes, in both orders: by name to find them, by op
// to forget the oldest. It is part of the replicated state: what is forgotten depends on nothing
// but the order of the ops.
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

// answer returns what the request was answered when it took effect. A write without a name never
// has.
func (r requests) answer(id string) (answer, bool) {
	known, ok := r.byID.Get(request{ID: id})
	return known.Answer, ok
}

// remember keeps the answer of a request that has just taken effect, and forgets the oldest one
// too many.
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
