package judge

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"

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
	Kind   string                          // the name of the operation, whatever its input
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
