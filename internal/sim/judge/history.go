package judge

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/smr-go/smr/internal/excerpt"
	"github.com/smr-go/smr/internal/vsr"
)

// Call is an operation of a caller at a member. The judge remembers the calls that have an input.
type Call struct {
	Caller int
	Body   []byte                          // of a command; nil: a read
	Stale  bool                            // a read that need not be linearizable
	Least  vsr.OpNumber                    // the op that a stale read asks for (R4); 0: none (R5)
	Input  any                             // for a model
	Output func(result []byte) (value any) // of a command, for a model; nil: the result itself

	began, ended int64        // places among all beginnings and ends
	floor        vsr.OpNumber // the latest state that any caller had seen when it began
	fate         fate
	request      request
	at           vsr.OpNumber // where a command was executed, or the state that a read saw
	result       []byte
	value        any
}

// fate is how a call ended.
type fate uint8

const (
	answered fate = iota
	refused
	unknown
)

// Began reports that a call begins.
func (j *Judge) Began(c *Call) {
	j.order++
	c.began, c.floor = j.order, j.floor
}

func (j *Judge) end(c *Call, f fate) {
	j.order++
	c.ended, c.fate = j.order, f
	if c.Input != nil {
		j.calls = append(j.calls, c)
	}
}

// Answered reports the result of a request to its caller, and returns the op of the request. The result must be that of
// the log (11.7), and the op above every op that a caller had seen before the call began (11.9).
func (j *Judge) Answered(c *Call, session, number uint64, result []byte) (vsr.OpNumber, error) {
	op, err := j.checkAnswer(c, request{session, number}, result)
	c.result, c.at = result, op
	j.floor = max(j.floor, op)
	j.end(c, answered)
	return op, err
}

func (j *Judge) checkAnswer(c *Call, r request, result []byte) (vsr.OpNumber, error) {
	op, ok := j.table.at[r]
	if !ok {
		return 0, violates("11.7", "request %d of session %d was answered, and is not in the log", r.number, r.session)
	}
	if want := j.results[op].Result; !bytes.Equal(result, want) {
		got, wanted := excerpt.Apart(result, want)
		return op, violates("11.7", "op %d was answered with %s, and resulted in %s", op, got, wanted)
	}
	if op <= c.floor {
		return op, violates("11.9", "%s was executed at op %d; when it was proposed, a caller had seen op %d", excerpt.Of(c.Body), op, c.floor)
	}
	return op, nil
}

// Read reports that a read saw the state after op, and returned value. The state must be as fresh as
// the read asked for (11.9, R4).
func (j *Judge) Read(c *Call, op vsr.OpNumber, value any) (err error) {
	if !c.Stale {
		if op < c.floor {
			err = violates("11.9", "a read saw the state after op %d; when it began, a caller had seen op %d", op, c.floor)
		}
		j.floor = max(j.floor, op)
	} else if op < c.Least {
		err = violates("R4", "a read saw the state after op %d, and asked for at least op %d", op, c.Least)
	}
	c.at, c.value = op, value
	j.end(c, answered)
	return err
}

// Refused reports that the caller received the outcome "not applied", which is final (X4). The session and the number are
// 0 if the call has none yet.
func (j *Judge) Refused(c *Call, session, number uint64) (err error) {
	if session != 0 && number != 0 {
		r := request{session, number}
		j.refused[r] = true
		if op, ok := j.table.at[r]; ok {
			err = violates("X4", "the caller of request %d of session %d is told that it never will be executed; it was, at op %d", number, session, op)
		}
	}
	j.end(c, refused)
	return err
}

// Unknown reports that a call ended without an outcome.
func (j *Judge) Unknown(c *Call, session, number uint64) {
	c.request = request{session, number}
	j.end(c, unknown)
}

// History returns all calls that a model must explain, in the order of the log. If a command has no outcome, the log
// decides whether it took effect, and with which result; the model has to find out when.
func (j *Judge) History() []porcupine.Operation {
	calls := slices.Clone(j.calls)
	for _, c := range calls {
		if c.fate == unknown && c.Body != nil {
			c.at = j.table.at[c.request]
		}
	}
	slices.SortStableFunc(calls, func(a, b *Call) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(len(b.Body), len(a.Body)), cmp.Compare(a.began, b.began))
	})
	all := make([]porcupine.Operation, 0, len(calls))
	for _, c := range calls {
		if c.fate == refused || c.fate == unknown && c.at == 0 || c.Body == nil && c.Stale {
			continue
		}
		all = append(all, j.operation(c))
	}
	return all
}

func (j *Judge) operation(c *Call) porcupine.Operation {
	o := porcupine.Operation{ClientId: c.Caller, Input: c.Input, Call: c.began, Return: c.ended}
	result := c.result
	if c.fate == unknown {
		o.Return, result = math.MaxInt64, j.results[c.at].Result
	}
	switch {
	case c.Body == nil:
		o.Output = c.value
	case c.Output != nil:
		o.Output = c.Output(result)
	default:
		o.Output = result
	}
	return o
}

// Linearizable checks that a History is linearizable by a model (11.9): the order of the log must explain it. Porcupine,
// which looks for any order that does, is asked too where it can be expected to find one soon, and where the log's does
// not do.
func Linearizable(operations []porcupine.Operation, m *porcupine.Model) error {
	explained := explains(operations, m)
	if explained == nil && len(operations) > fewOperations {
		return nil
	}
	switch porcupine.CheckOperationsTimeout(*m, operations, checkFor) {
	case porcupine.Illegal:
		return violates(RuleModel, "the answers of %d operations are not linearizable by the model: %v", len(operations), cmp.Or(explained, errPorcupine))
	case porcupine.Unknown:
		if explained != nil {
			return violates(RuleModel, "the order of the log does not explain the answers of %d operations, and porcupine has found no other in %v: %v", len(operations), checkFor, explained)
		}
	}
	return nil
}

// fewOperations is the number of operations up to which porcupine is always asked, and checkFor the time that it may
// take: real time, which decides nothing but the text of a violation.
const (
	fewOperations = 400
	checkFor      = 10 * time.Second
)

// RuleModel is broken by a history that the model does not explain: the group breaks 11.9, or the state machine and the
// model disagree.
const RuleModel = "what callers see is linearizable by the model"

var errPorcupine = errors.New("so says porcupine, and the order of the log explains them")

// explains returns nil if the operations can have taken effect in this order: each between its beginning and its end, and
// with the answer that the model gives.
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
