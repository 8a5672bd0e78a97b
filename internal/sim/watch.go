package sim

import (
	"time"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
)

// Watcher receives the events of a run in order, for traces and pictures. It changes nothing. Runs
// without a Watcher are faster, and otherwise the same.
type Watcher interface {
	// Note describes an event at host in words; host -1 is the whole group.
	Note(at time.Duration, host int, what string, args []any)
	// Sent reports a message that a replica sends, with a number of its own. The network may lose it at once.
	Sent(at time.Duration, id uint64, from, to int, m vsr.Message)
	// Watcher has the fates of messages and the states of links. A message that is doubled ends twice.
	world.Watcher
	// Turned reports the state of a replica after a turn of its loop.
	Turned(at time.Duration, host int, now *vsr.State)
	// Called and Returned report the beginning and the end of a call.
	Called(at time.Duration, c *Call)
	Returned(at time.Duration, c *Call)
	// Faulted reports a fault that strikes.
	Faulted(at time.Duration, f *fault.Fault)
	// Lived reports that a host's process started or ended.
	Lived(at time.Duration, host int, up bool)
}

// CoreWatcher is a Watcher that also records the inputs of the replicas' cores.
type CoreWatcher interface {
	Watcher
	// Recorder returns a recorder for a process that is about to start. If the process fails to start, the recorder is not
	// called. The CoreWatcher closes it.
	Recorder() shell.Recorder
}
