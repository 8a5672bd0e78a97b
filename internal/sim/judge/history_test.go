package judge

import (
	"fmt"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/assert"

	"github.com/smr-go/smr/internal/vsr"
)

// counter is a model: "add" returns the count before it, "read" the count.
var counter = porcupine.Model{
	Init: func() any { return 0 },
	Step: func(state, input, output any) (bool, any) {
		if input == "add" {
			return output == state, state.(int) + 1
		}
		return output == state, state
	},
}

// The order of the log explains what callers saw only if it keeps to the times and to the model.
func TestLogExplainsHistory(t *testing.T) {
	operation := func(input string, call, ret int64, output int) porcupine.Operation {
		return porcupine.Operation{Input: input, Output: output, Call: call, Return: ret, Metadata: &Call{Caller: 7, Host: "b", at: vsr.OpNumber(call)}}
	}
	for want, history := range map[string][]porcupine.Operation{
		"": {operation("add", 1, 4, 0), operation("read", 2, 3, 1)},
		"read: 1: it had ended when add: 0 began, and comes after it in the log": {operation("add", 3, 4, 0), operation("read", 1, 2, 1)},
		"after op 3, by caller 7 at b: read: 0. The model rejects this answer in this state; it would accept, " +
			"for instance, 1. The state is 1": {operation("add", 1, 2, 0), operation("read", 3, 4, 0)},
		"add: 900. The model rejects this answer in this state. The state is 0": {operation("add", 1, 2, 900)},
	} {
		err := Linearizable(history, &counter)
		if want == "" {
			assert.NoError(t, err)
		} else {
			assert.ErrorContains(t, err, want)
		}
	}
}

// A rejected answer is shown with another one only if an operation of the same kind had that.
func TestRejectedAnswers(t *testing.T) {
	long := strings.Repeat("x", 300)
	// any answer to the first operation, and one that ends in "ok" to the others
	lax := porcupine.Model{Init: func() any { return 0 }, Step: func(state, _, output any) (bool, any) {
		return state == 0 || strings.HasSuffix(string(output.([]byte)), "ok"), state.(int) + 1
	}, DescribeOperation: func(input, output any) string { return fmt.Sprintf("%v → %.3s", input, output) }}
	operation := func(at vsr.OpNumber, kind, output string) porcupine.Operation {
		return porcupine.Operation{Input: kind, Output: []byte(output), Call: int64(at), Return: int64(at),
			Metadata: &Call{Kind: kind, at: at}}
	}
	const instead = `; it would accept, for instance, "ok"`
	for _, c := range []struct{ kind, output, want string }{
		{"take", "no", `take → no. The model rejects this answer in this state` + instead + `. The state is 1`},
		{"done", "no", `done → no. The model rejects this answer in this state. The state is 1`},
		{"take", long, `take → xxx. The model rejects this answer, "` + long + `", in this state` + instead + `. The state is 1`},
		{"done", long, `done → xxx. The model rejects this answer, "` + long + `", in this state. The state is 1`},
	} {
		err := Linearizable([]porcupine.Operation{operation(1, "take", "ok"), operation(2, c.kind, c.output)}, &lax)
		assert.ErrorContains(t, err, c.want)
	}
}
