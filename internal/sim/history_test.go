package sim

import (
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/assert"
)

// The order of the log explains what callers saw only if it keeps to the times and to the model.
func TestWhatTheLogExplains(t *testing.T) {
	first := []byte("\x01\x00aaaaaaaa")
	add := func(call, ret int64, before listOutput) porcupine.Operation {
		before.done = true
		return porcupine.Operation{Input: listInput{0, first}, Output: before, Call: call, Return: ret}
	}
	read := func(call, ret int64, saw listOutput) porcupine.Operation {
		return porcupine.Operation{Input: listInput{key: 0}, Output: saw, Call: call, Return: ret}
	}
	one := listOutput{1, mix(0, first), false}
	assert.NoError(t, explains([]porcupine.Operation{add(1, 4, listOutput{}), read(2, 3, one)}, &listModel))
	assert.ErrorContains(t, explains([]porcupine.Operation{add(3, 4, listOutput{}), read(1, 2, one)}, &listModel), "comes after it in the log")
	assert.ErrorContains(t, explains([]porcupine.Operation{add(1, 2, listOutput{}), read(3, 4, listOutput{})}, &listModel), "cannot follow")
	assert.ErrorContains(t, explains([]porcupine.Operation{add(1, 2, one)}, &listModel), "cannot follow")
}
