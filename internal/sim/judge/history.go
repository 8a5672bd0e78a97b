package judge

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/smr-go/smr/internal/excerpt"
	"github.com/smr-go/smr/internal/vsr"
)

// Call is an operation of a caller at a member. The judge remembers the calls that have an input.
type Call struct {
	Caller int
	Host   string
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
		return op, violates("11.9", "%s was executed at op %d; when it was proposed, a caller had seen op %d",
			excerpt.Of(c.Body), op, c.floor)
	}
	return op, nil
}

// Read reports that a read saw the state after op, and returned value. The state must be as fresh as
// the read asked for (11.9, R4).
func (j *Judge) Read(c *Call, op vsr.OpNumber, value any) (err error) {
	if !c.Stale {
		if op < c.floor {
			err = violates("11.9", "a read saw the state after op %d; when it began, a caller had seen op %d", op,
				c.floor)
		}
		j.floor = max(j.floor, op)
	} else if op < c.Least {
		err = violates("R4", "a read saw the state after op %d, and asked for at least op %d", op, c.Least)
	}
	c.at, c.value = op, value
	j.end(c, answered)
	return err
}

// Refused reports that the caller received the outcome "not applied", which is final (X4). The session and the number
// are 0 if the call has none yet.
func (j *Judge) Refused(c *Call, session, number uint64) error {
	j.end(c, refused)
	r := request{session, number}
	op, executed := j.table.at[r]
	if !executed {
		op, executed = j.bodies[string(c.Body)]
	}
	if executed {
		return violates("X4", "the caller of %s is told that it never will be executed; it was, at op %d",
			excerpt.Of(c.Body), op)
	}
	if session != 0 && number != 0 {
		j.refused[r] = true
	}
	if j.config.Distinct {
		j.denied[string(c.Body)] = true
	}
	return nil
}

// Unknown reports that a call ended without an outcome.
func (j *Judge) Unknown(c *Call, session, number uint64) {
	c.request = request{session, number}
	j.end(c, unknown)
}

// History returns the calls that a model must explain, in the order of the log. open are calls under way whose commands
// may be in the log. If a command has no outcome, the log decides whether it took effect, and with which result.
func (j *Judge) History(open []*Call) (all []porcupine.Operation) {
	calls := append(slices.Clone(j.calls), open...)
	for _, c := range calls {
		if c.fate == unknown && c.Body != nil {
			if c.at = j.table.at[c.request]; int(c.at) >= len(j.results) {
				c.at = 0 // a rule is broken at that op, so that it has no result
			}
		}
	}
	slices.SortStableFunc(calls, func(a, b *Call) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(len(b.Body), len(a.Body)), cmp.Compare(a.began, b.began))
	})
	for _, c := range calls {
		if c.fate == refused || c.fate == unknown && c.at == 0 || c.Body == nil && c.Stale {
			continue
		}
		all = append(all, j.operation(c))
	}
	return all
}

// Open reports the request of a call that is under way, for History.
func (c *Call) Open(session, number uint64) *Call {
	c.request, c.fate = request{session, number}, unknown
	return c
}

// String names the call's op and caller.
func (c *Call) String() string {
	after := ""
	if c.Body == nil {
		after = "after "
	}
	return fmt.Sprintf("%sop %d, by caller %d at %s", after, c.at, c.Caller, c.Host)
}

func (j *Judge) operation(c *Call) porcupine.Operation {
	o := porcupine.Operation{ClientId: c.Caller, Input: c.Input, Call: c.began, Return: c.ended, Metadata: c}
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

// RuleModel is broken by a history that the model does not explain: the group breaks 11.9, or the state machine and the
// model disagree.
const RuleModel = "what callers see is linearizable by the model"

// Linearizable checks that a model explains a History (11.9) in the order of the log: each operation takes effect
// between its beginning and its end, and with the answer that the model gives. A state machine for which only another
// order does so gives answers that the model rejects if the same operations come one after the other.
func Linearizable(operations []porcupine.Operation, m *porcupine.Model) error {
	latest := &porcupine.Operation{Call: math.MinInt64}
	for i := range operations {
		o := &operations[i]
		if o.Return < latest.Call {
			return rejected(o, "%s: it had ended when %s began, and comes after it in the log",
				inWords(m, o), inWords(m, latest))
		}
		if o.Call > latest.Call {
			latest = o
		}
	}
	parts := [][]porcupine.Operation{operations}
	if m.Partition != nil {
		parts = m.Partition(operations)
	}
	var first *porcupine.Operation
	var before any
	for _, part := range parts {
		state := m.Init()
		for i := range part {
			ok, next := step(m, state, &part[i])
			if !ok && (first == nil || at(&part[i]) < at(first)) {
				first, before = &part[i], state
			}
			if !ok {
				break
			}
			state = next
		}
	}
	if first == nil {
		return nil
	}
	return rejected(first, "%s. %s", inWords(m, first), expected(m, before, first, operations))
}

func step(m *porcupine.Model, state any, o *porcupine.Operation) (ok bool, next any) {
	if m.StepContext != nil {
		return m.StepContext(context.Background(), state, o.Input, o.Output)
	}
	return m.Step(state, o.Input, o.Output)
}

// at returns the op of an operation; 0: unknown.
func at(o *porcupine.Operation) vsr.OpNumber {
	if c, ok := o.Metadata.(*Call); ok {
		return c.at
	}
	return 0
}

// rejected is the violation of an operation that the model does not explain.
func rejected(o *porcupine.Operation, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if c, ok := o.Metadata.(*Call); ok {
		text = fmt.Sprintf("%v: %s", c, text)
	}
	return &Violation{Rule: RuleModel, Text: text, Op: uint64(at(o))}
}

// expected describes what the model would have accepted, if that is among the other answers of the history, or a number
// close to the answer.
func expected(m *porcupine.Model, state any, o *porcupine.Operation, history []porcupine.Operation) string {
	var candidates []any
	for i := range history {
		x := &history[i]
		if reflect.TypeOf(x.Input) == reflect.TypeOf(o.Input) && reflect.TypeOf(x.Output) == reflect.TypeOf(o.Output) {
			candidates = append(candidates, x.Output)
		}
	}
	if v := reflect.ValueOf(o.Output); v.CanInt() {
		for d := int64(1); d <= 100; d++ {
			for _, n := range []int64{v.Int() - d, v.Int() + d} {
				candidates = append(candidates, reflect.ValueOf(n).Convert(v.Type()).Interface())
			}
		}
	}
	text := fmt.Sprintf("%+v", state)
	if m.DescribeState != nil {
		text = m.DescribeState(state)
	}
	if len(text) > muchState {
		text = strings.ToValidUTF8(text[:muchState], "") + "..."
	}
	for _, x := range candidates {
		if accepts(m, state, o.Input, x) {
			if b, ok := x.([]byte); ok {
				x = excerpt.Of(b)
			}
			return fmt.Sprintf("The model expects %+v: its state is %s", x, text)
		}
	}
	return "The model does not allow that in its state, which is " + text
}

// muchState is the number of bytes of a state that are shown.
const muchState = 300

// accepts reports whether the model accepts an output, which may be that of a different operation.
func accepts(m *porcupine.Model, state, input, output any) (ok bool) {
	defer func() { ok = recover() == nil && ok }()
	ok, _ = step(m, state, &porcupine.Operation{Input: input, Output: output})
	return ok
}

func inWords(m *porcupine.Model, o *porcupine.Operation) string {
	if m.DescribeOperation != nil {
		return m.DescribeOperation(o.Input, o.Output)
	}
	return fmt.Sprintf("%v: %v", o.Input, o.Output)
}
