package sim

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// history is what callers did and saw, for porcupine (11.9).
type history struct {
	calls []*Call // that have ended
}

// add takes in a call that has ended.
func (h *history) add(c *Call) {
	if c.Input != nil {
		h.calls = append(h.calls, c)
	}
}

// operations returns the history as porcupine has it, in the order of the log, and the place in it
// by the beginning of each. Of a command whose caller has seen no outcome the log says whether it
// took effect, and with what result; when, the model must find.
func (s *Sim) operations() (all []porcupine.Operation) {
	calls := slices.Clone(s.history.calls)
	for _, c := range calls {
		if c.Outcome == Unknown && c.Body != nil {
			c.At = uint64(s.witness.ran[request{c.session, c.number}])
		}
	}
	slices.SortStableFunc(calls, func(a, b *Call) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(len(b.Body), len(a.Body)), cmp.Compare(a.order, b.order))
	})
	all = make([]porcupine.Operation, 0, len(calls))
	for _, c := range calls {
		switch {
		case c.Outcome == NotApplied, c.Outcome == Unknown && c.At == 0, c.Body == nil && c.Level != Linearizable:
			continue
		}
		all = append(all, s.operation(c))
	}
	return all
}

func (s *Sim) operation(c *Call) porcupine.Operation {
	o := porcupine.Operation{ClientId: c.Caller, Input: c.Input, Call: c.order, Return: c.end}
	result := c.Result
	if c.Outcome == Unknown {
		o.Return, result = math.MaxInt64, s.witness.outcomes[c.At].result
	}
	switch {
	case c.Body == nil:
		o.Output = c.Value
	case c.Operation.Output != nil:
		o.Output = c.Operation.Output(result)
	default:
		o.Output = result
	}
	return o
}

// checkHistory shows that what callers saw is linearizable: the order of the log must be one that
// explains it. Porcupine, which looks for any such order, is asked too where it can be expected to
// find one soon, and where the log's does not do.
func (s *Sim) checkHistory() {
	if s.work.Model == nil || s.err != nil {
		return
	}
	operations := s.operations()
	explained := explains(operations, s.work.Model)
	if explained == nil && len(operations) > fewOperations {
		return
	}
	switch porcupine.CheckOperationsTimeout(*s.work.Model, operations, checkFor) {
	case porcupine.Illegal:
		s.fail(RuleModel, "the answers of %d operations are not linearizable by the model: %v", len(operations), cmp.Or(explained, errPorcupine))
	case porcupine.Unknown:
		if explained != nil {
			s.fail(RuleModel, "the order of the log does not explain the answers of %d operations, and porcupine has found no other in %v: %v", len(operations), checkFor, explained)
		}
	}
}

// fewOperations is how many porcupine is always asked about, and checkFor how long it may think:
// real time, which decides nothing but what a violation says.
const (
	fewOperations = 400
	checkFor      = 10 * time.Second
)

// RuleModel is broken by a history that the model of the work does not explain: it may be the group's
// fault (11.9), or the state machine and the model do not agree.
const RuleModel = "what callers see is linearizable by the model"

var errPorcupine = errors.New("so says porcupine, and the order of the log explains them")

// explains returns why operations cannot have taken effect one after the other as they stand; nil if
// they can: each within its time, and with the answer that the model gives.
func explains(operations []porcupine.Operation, m *porcupine.Model) error {
	latest := &porcupine.Operation{Call: math.MinInt64}
	for i := range operations {
		o := &operations[i]
		if o.Return < latest.Call {
			return fmt.Errorf("%s had ended when %s began, and comes after it in the log", inWords(m, o), inWords(m, latest))
		}
		if o.Call > latest.Call {
			latest = o
		}
	}
	parts := [][]porcupine.Operation{operations}
	if m.Partition != nil {
		parts = m.Partition(operations)
	}
	for _, part := range parts {
		state := m.Init()
		for i := range part {
			ok, next := m.Step(state, part[i].Input, part[i].Output)
			if !ok {
				return fmt.Errorf("%s cannot follow on what the log has before it", inWords(m, &part[i]))
			}
			state = next
		}
	}
	return nil
}

func inWords(m *porcupine.Model, o *porcupine.Operation) string {
	if m.DescribeOperation != nil {
		return m.DescribeOperation(o.Input, o.Output)
	}
	return fmt.Sprintf("%v: %v", o.Input, o.Output)
}
