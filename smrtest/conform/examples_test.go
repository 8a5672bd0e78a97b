package conform_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/smr-go/smr"
)

// counter is the state machine to be tested: every operation adds one, and returns the count.
type counter struct{ n int }

func newCounter() *counter { return &counter{} }

func (c *counter) Apply(smr.Op) []byte            { c.n++; return fmt.Append(nil, c.n) }
func (c *counter) Snapshot() (io.WriterTo, error) { return strings.NewReader(fmt.Sprint(c.n)), nil }
func (c *counter) Restore(r io.Reader) error      { _, err := fmt.Fscan(r, &c.n); return err }

// What the example shows runs.
func TestService(t *testing.T) { testService(t) }
