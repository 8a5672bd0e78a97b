package shell

import (
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// Recorder receives the inputs and outputs of a core in order, so that a test can replay them (internal/record). The loop
// calls it.
type Recorder interface {
	// Started reports the arguments of vsr.New before the call. It may replace c.Rand and c.Detector.
	Started(c *vsr.Config, d *vsr.Durable, now time.Time)
	// Stepping reports an event before the core handles it. The event is valid during the call.
	Stepping(now time.Time, e vsr.Event)
	// Stepped reports the event after the core has handled it and set its results.
	Stepped(e vsr.Event)
	// Readied reports the end of a turn, the header with which its messages are sent, and its output. The output is valid
	// during the call.
	Readied(now time.Time, h vsr.Header, out *vsr.Output)
	// Close ends the recording, and returns an error if it is incomplete.
	Close() error
}
