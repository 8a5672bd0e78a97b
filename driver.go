package smr

import (
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/vsr"
)

// driver is the replica as its shell's driver: it passes work and inputs to the queues of the goroutines that run the
// shell's parts.
type driver struct{ *Replica }

var _ shell.Driver = driver{}

// Write queues work for the writer.
func (d driver) Write(w shell.Write) { d.writes.Add(w) }

// Apply queues a job for the applier.
func (d driver) Apply(j shell.Job) { d.jobs.Add(j) }

// Fetch queues a step for the fetcher.
func (d driver) Fetch(s vsr.FetchStep) { d.fetches.Add(s) }

// Tell queues an input for the loop.
func (d driver) Tell(in shell.Input) { d.inbox.Add(in) }

// Stopping reports whether the replica stops.
func (d driver) Stopping() bool { return d.stopping() }

// Background runs do in a goroutine of its own.
func (d driver) Background(task shell.Task, do func()) {
	what := theDisk
	if task == shell.WriteSnapshot {
		what = theSnapshot
	}
	d.busy.run(what, func() {
		d.pace("background")
		if task == shell.TryAgain {
			select {
			case <-d.stop:
				return
			case <-time.After(shell.FullRetry):
			}
		}
		if task == shell.WriteSnapshot {
			d.callbacks.enter(&d.callbacks.snapshot)
		}
		do()
	})
}

// Turned publishes the core's state.
func (d driver) Turned(state *vsr.State) {
	if d.probe != nil {
		d.probe.turned(state)
	}
	d.turned(state)
}

// Fail stops the replica because of err.
func (d driver) Fail(err error) { d.fail(err) }

// Send sends a message to each of its receivers.
func (d driver) Send(p shell.Packet) {
	if d.probe != nil {
		d.probe.sends(p)
	}
	for _, i := range p.To {
		d.cfg.Transport.Send(d.cfg.Members[i].ID, p.Bytes)
	}
}

// Note logs a note.
func (d driver) Note(n shell.Note) {
	args := n.Args
	if n.Err != nil {
		args = append(args[:len(args):len(args)], errorArgs(n.Err)...)
	}
	if n.Level >= hclog.Warn {
		d.notes.Report(n.Level, n.Text, n.Text, args...)
		return
	}
	d.log.Log(n.Level, n.Text, args...)
}

// errorArgs returns the pairs of key and value that log err. The stack of a panic is in the log only.
func errorArgs(err error) []any {
	if stack := shell.Stack(err); stack != "" {
		return []any{"error", err, "stack", stack}
	}
	return []any{"error", err}
}
