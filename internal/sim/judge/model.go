package judge

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/anishathalye/porcupine"

	"github.com/smr-go/smr/internal/excerpt"
	"github.com/smr-go/smr/internal/vsr"
)

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
	return rejected(first, "%s. %s", inWords(m, first), rejection(m, before, first, operations))
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

// kind returns the kind of an operation; "": unknown.
func kind(o *porcupine.Operation) string {
	if c, ok := o.Metadata.(*Call); ok {
		return c.Kind
	}
	return ""
}

// rejected is the violation of an operation that the model does not explain.
func rejected(o *porcupine.Operation, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if c, ok := o.Metadata.(*Call); ok {
		text = fmt.Sprintf("%v: %s", c, text)
	}
	return &Violation{Rule: RuleModel, Text: text, Op: uint64(at(o))}
}

// rejection describes an answer that the model rejects, and the state in which it does, with an answer that the model
// would accept, if one is known.
func rejection(m *porcupine.Model, state any, o *porcupine.Operation, history []porcupine.Operation) string {
	answer, instead := answerOf(o.Output), ""
	for _, x := range candidates(o, history) {
		if accepts(m, state, o.Input, x) {
			answer, x = answersApart(o.Output, x)
			instead = fmt.Sprintf("; it would accept, for instance, %+v", x)
			break
		}
	}
	text := fmt.Sprintf("%+v", state)
	if m.DescribeState != nil {
		text = m.DescribeState(state)
	}
	if len(text) > muchState {
		text = strings.ToValidUTF8(text[:muchState], "") + "..."
	}
	return fmt.Sprintf("The model rejects this answer%s in this state%s. The state is %s", answer, instead, text)
}

// answerOf returns an answer for the middle of a sentence; "" if the description of the operation shows all of it.
func answerOf(output any) string {
	if b, ok := output.([]byte); ok && excerpt.Much(b) != excerpt.Of(b) {
		return ", " + excerpt.Much(b) + ","
	}
	return ""
}

// answersApart returns an answer as answerOf does, and another one, both where they differ.
func answersApart(output, other any) (answer string, instead any) {
	a, ok1 := output.([]byte)
	b, ok2 := other.([]byte)
	if !ok1 || !ok2 {
		return "", other
	}
	one, two := excerpt.Apart(a, b)
	if one == excerpt.Of(a) {
		return "", two
	}
	return ", " + one + ",", two
}

// candidates returns answers that the model may accept in place of one: those that the history has of operations of the
// same kind, and numbers close to it. A model that looks at answers only may accept those of other operations, too.
func candidates(o *porcupine.Operation, history []porcupine.Operation) (all []any) {
	for i := range history {
		if x := &history[i]; kind(x) == kind(o) && reflect.TypeOf(x.Output) == reflect.TypeOf(o.Output) {
			all = append(all, x.Output)
		}
	}
	if v := reflect.ValueOf(o.Output); v.CanInt() {
		for d := int64(1); d <= 100; d++ {
			for _, n := range []int64{v.Int() - d, v.Int() + d} {
				all = append(all, reflect.ValueOf(n).Convert(v.Type()).Interface())
			}
		}
	}
	return all
}

// muchState is the number of bytes of a state that are shown.
const muchState = 300

// accepts reports whether the model accepts an output, which may be that of another operation.
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
