package main

import (
	"testing"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest"
)

func TestCounterIsAStateMachine(t *testing.T) {
	ops := make([][]byte, 12)
	smrtest.TestStateMachine(t, func() smr.StateMachine { return new(counter) }, ops)
}

func Example_main() {
	main()
	// Output:
	// a was told 1, c reads 1
	// errors: <nil> <nil>
}
