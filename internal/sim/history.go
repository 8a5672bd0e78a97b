package sim

import (
	"math"
	"time"

	"github.com/anishathalye/porcupine"
)

// history is what callers did and saw, for porcupine (11.9).
type history struct {
	calls  []*Call // that have ended
	orders []int64 // of their ends
}

// add takes in a call that has ended.
func (h *history) add(c *Call, order int64) {
	if c.Input != nil {
		h.calls, h.orders = append(h.calls, c), append(h.orders, order)
	}
}

// operations returns the history as porcupine has it. Of a command whose caller has seen no outcome
// the log says whether it took effect, and with what result; when, the model must find.
func (s *Sim) operations() (all []porcupine.Operation) {
	for i, c := range s.history.calls {
		o := porcupine.Operation{ClientId: c.Caller, Input: c.Input, Call: c.order, Return: s.history.orders[i]}
		result := c.Result
		switch {
		case c.Outcome == NotApplied, c.Body == nil && (c.Outcome == Unknown || c.Level != Linearizable):
			continue
		case c.Outcome == Unknown:
			op, ok := s.witness.ran[request{c.session, c.number}]
			if !ok {
				continue
			}
			o.Return, result = math.MaxInt64, s.witness.outcomes[op].result
		}
		switch {
		case c.Body == nil:
			o.Output = c.Value
		case c.Operation.Output != nil:
			o.Output = c.Operation.Output(result)
		default:
			o.Output = result
		}
		all = append(all, o)
	}
	return all
}

// checkFor is how long porcupine may think: real time, which decides nothing but whether a run
// without a verdict is said to be one.
const checkFor = 20 * time.Second

// checkHistory asks porcupine whether what callers saw is linearizable.
func (s *Sim) checkHistory() {
	if s.work.Model == nil || s.err != nil {
		return
	}
	operations := s.operations()
	switch porcupine.CheckOperationsTimeout(*s.work.Model, operations, checkFor) {
	case porcupine.Illegal:
		s.fail("11.9", "porcupine: the answers of %d operations are not linearizable by the model", len(operations))
	case porcupine.Unknown:
		s.fail("no verdict", "porcupine has not finished with %d operations in %v: let the model be partitioned, or fewer callers be at it", len(operations), checkFor)
	}
}
