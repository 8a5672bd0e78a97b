package smrtest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"testing"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest"
)

// tally counts votes.
type tally map[string]int

func (t tally) Apply(op smr.Op) []byte {
	t[string(op.Body)]++
	return fmt.Append(nil, t[string(op.Body)])
}

func (t tally) Snapshot() (io.WriterTo, error) {
	frozen, err := json.Marshal(t)
	return ballot(frozen), err
}

func (t tally) Restore(r io.Reader) error {
	clear(t)
	return json.NewDecoder(r).Decode(&t)
}

// ballot is a frozen tally.
type ballot []byte

func (b ballot) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(b)
	return int64(n), err
}

// testTally is TestTally in a package of your own.
func testTally(t *testing.T) {
	votes := [][]byte{[]byte("ann"), []byte("bob"), []byte("ann"), []byte("cem"), []byte("ann")}
	smrtest.TestStateMachine(t, func() smr.StateMachine { return tally{} }, votes)
}

// A test of a state machine is one line: how to make new ones, and operations that reach all of
// their state.
func ExampleTestStateMachine() {
	_ = testTally
}
