package sim

import (
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
)

// Watcher is told what happens in a run, in order, for traces and pictures. It changes nothing. Runs
// without one are faster, and otherwise the same.
type Watcher interface {
	// Note says in words what host did, or what befell it; host -1 is the world.
	Note(at time.Duration, host int, what string, args []any)
	// Sent says that a message is on its way, or lost at once. id is its own.
	Sent(at time.Duration, id uint64, from, to int, m vsr.Message)
	// Watcher is told what becomes of messages and links; a message that is doubled ends twice.
	world.Watcher
	// Turned says what a replica is after a turn of its loop.
	Turned(at time.Duration, host int, now *vsr.State)
	// Called and Returned say that a caller has begun something, and how it ended.
	Called(at time.Duration, c *Call)
	Returned(at time.Duration, c *Call)
	// Faulted says what goes wrong.
	Faulted(at time.Duration, f *fault.Fault)
	// Lived says that a host's process started, or ended.
	Lived(at time.Duration, host int, up bool)
}
