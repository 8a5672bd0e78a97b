package smr

import (
	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/vsr"
)

// driver runs the steps of a replica's shell in goroutines, and carries what they produce between them.
type driver struct{ *Replica }

var _ shell.Driver = driver{}

func (d driver) Write(w shell.Write)   { d.writes.Add(w) }
func (d driver) Apply(j shell.Job)     { d.jobs.Add(j) }
func (d driver) Fetch(s vsr.FetchStep) { d.fetches.Add(s) }
func (d driver) Tell(in shell.Input)   { d.inbox.Add(in) }
func (d driver) Stopping() bool        { return d.stopping() }

// Background runs do in a goroutine of its own.
func (d driver) Background(_ shell.Task, do func()) {
	d.background(func() {
		d.pace("background")
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
func (d driver) Fail(err error) { d.fail(storageError(err)) }

// Send sends a message to each of its receivers.
func (d driver) Send(p shell.Packet) {
	if d.probe != nil {
		d.probe.sends(&p)
	}
	for _, i := range p.To {
		d.cfg.Transport.Send(d.cfg.Members[i].ID, p.Bytes)
	}
}

// Note logs.
func (d driver) Note(n shell.Note) {
	args := n.Args
	if n.Err != nil {
		args = append(args[:len(args):len(args)], "error", n.Err)
	}
	d.log.Log(n.Level, n.Text, args...)
}
