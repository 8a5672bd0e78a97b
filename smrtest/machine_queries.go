package smrtest

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/excerpt"
	"github.com/smr-go/smr/internal/sim"
)

// eachQuery calls do for each query, with its name and input as they are after an operation: the same in every run.
func (m machines) eachQuery(op smr.Op, do func(what string, o sim.Operation) error) error {
	r := rand.New(rand.NewPCG(op.Number, 0))
	for _, q := range m.queries {
		o := q.next(r)
		if err := do(fmt.Sprintf("%s %s", o.Name, word(o.Input)), o); err != nil {
			return m.kit.At(op, err)
		}
	}
	return nil
}

// compareQueries compares the answers of the witness's machines after an operation.
func (m machines) compareQueries(w *contract.Witness, op smr.Op) error {
	return m.eachQuery(op, func(what string, o sim.Operation) error { return w.Alike(what, op.Number, o.Read) })
}

// asked is a run, for narrow, of two machines: one answers all queries after each operation, and the other none. They
// must return the same results, and be in the same state where states are compared.
func (m machines) asked(p plan) (at int, err error) {
	alone, err := m.applied(0)
	if err != nil {
		return 0, err
	}
	asked, err := m.applied(0)
	for i := 0; err == nil && i < p.ops; i++ {
		at = i
		op := m.twice[i]
		if err = m.sameUnasked(alone, asked, op); err != nil {
			break
		}
		whole := i >= p.closely || i == p.ops-1 || (i+1)%p.every == 0
		ask := asked.Ask
		if whole {
			ask = asked.Query
		}
		err = m.eachQuery(op, func(what string, o sim.Operation) error {
			_, err := ask(what, op.Number, o.Read)
			return err
		})
		if err == nil && whole {
			err = m.kit.At(op, sameStateUnasked(alone, asked))
		}
	}
	return at, err
}

// sameUnasked applies an operation to both machines and compares the results.
func (m machines) sameUnasked(alone, asked local, op smr.Op) error {
	a, err := alone.Apply(op)
	if err != nil {
		return m.kit.At(op, err)
	}
	b, err := asked.Apply(op)
	if err == nil && !bytes.Equal(a, b) {
		one, two := excerpt.Apart(a, b)
		err = contract.PureQuery.Broken("it returned %s on a machine that answers no queries, and %s on one that does", one, two)
	}
	return m.kit.At(op, err)
}

func sameStateUnasked(alone, asked local) error {
	a, err := alone.Encode()
	if err != nil {
		return err
	}
	b, err := asked.Encode()
	if err == nil && new(contract.Order).Differ(a, b, alone, asked) {
		err = contract.PureQuery.Broken("a machine that answers queries is in another state than one that answers none: %s",
			contract.Difference(b, a))
	}
	return err
}
