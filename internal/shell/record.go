package shell

import (
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// Recorder receives everything that a core is told, in order, so that a test can tell another core the same. The loop
// calls it.
type Recorder interface {
	// Started reports what the core was made of. It may replace c.Rand and c.Detector.
	Started(c *vsr.Config, d *vsr.Durable, now time.Time)
	// Stepped reports an event after the core has taken it. The event is valid during the call.
	Stepped(now time.Time, e vsr.Event)
	// Readied reports the end of a turn and its output, which is valid during the call.
	Readied(now time.Time, out *vsr.Output)
}
