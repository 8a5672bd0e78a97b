package judge

import (
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/assert"
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
	add := func(call, ret int64, before int) porcupine.Operation {
		return porcupine.Operation{Input: "add", Output: before, Call: call, Return: ret}
	}
	read := func(call, ret int64, saw int) porcupine.Operation {
		return porcupine.Operation{Input: "read", Output: saw, Call: call, Return: ret}
	}
	assert.NoError(t, explains([]porcupine.Operation{add(1, 4, 0), read(2, 3, 1)}, &counter))
	assert.ErrorContains(t, explains([]porcupine.Operation{add(3, 4, 0), read(1, 2, 1)}, &counter), "comes after it in the log")
	assert.ErrorContains(t, explains([]porcupine.Operation{add(1, 2, 0), read(3, 4, 0)}, &counter), "cannot follow")
	assert.ErrorContains(t, explains([]porcupine.Operation{add(1, 2, 1)}, &counter), "cannot follow")
}
