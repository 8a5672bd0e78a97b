package judge

import (
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
		"read: 1: it had ended when add: 0 began, and comes after it in the log":     {operation("add", 3, 4, 0), operation("read", 1, 2, 1)},
		"after op 3, by caller 7 at b: read: 0. The model expects 1: its state is 1": {operation("add", 1, 2, 0), operation("read", 3, 4, 0)},
		"add: 900. The model does not allow that in its state, which is 0":           {operation("add", 1, 2, 900)},
	} {
		err := Linearizable(history, &counter)
		if want == "" {
			assert.NoError(t, err)
		} else {
			assert.ErrorContains(t, err, want)
		}
	}
}
