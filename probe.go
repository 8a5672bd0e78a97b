package smr

import (
	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/vsr"
)

// probe is what a test has in a replica: it learns what the replica does, and decides when its goroutines run. A replica
// that a user started has none.
type probe interface {
	shell.Observer
	// configure changes what the shell needs to know, before it opens the directory.
	configure(c *shell.Config)
	// opened reports what the core was made of, before any goroutine runs.
	opened(s *shell.Shell, d *vsr.Durable)
	// turned reports the core's state at the end of a turn. The loop calls it.
	turned(s *vsr.State)
	// sends reports a message, before it is sent.
	sends(p shell.Packet)
	// pace returns when the goroutine that calls it may go on: it has been woken for work, and takes it next.
	pace(goroutine string)
}

// pace lets a probe delay the goroutine.
func (r *Replica) pace(goroutine string) {
	if r.probe != nil {
		r.probe.pace(goroutine)
	}
}
