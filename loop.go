package smr

import (
	"time"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// maxInbox is the number of bytes of messages and proposals up to which a message may wait for the loop. Further
// messages are dropped, as if they were lost on the way.
const maxInbox = 64 << 20

// receive takes a message from the transport. It is checked here, in the transport's goroutine, so that the
// loop can trust it.
func (r *Replica) receive(from ID, b []byte) {
	h, m, err := wire.DecodeMessage(b, r.tag)
	if err != nil {
		r.log.Debug("a message was dropped", "from", string(from), "bytes", len(b), "error", err)
		return
	}
	if i := r.cfg.index(from); i >= 0 {
		r.inbox.Put(shell.Input{Receive: vsr.Receive{From: i, Header: h, Message: m}}, len(b), maxInbox)
	}
}

// loop runs the shell's loop until the replica stops. It waits for nothing but its inbox and the core's deadline.
func (r *Replica) loop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	loop := &r.shell.Loop
	for {
		select {
		case <-r.stop:
		case <-r.inbox.Wake():
		case <-timer.C:
		}
		r.pace("loop")
		if r.stopping() { // what the core wanted done last may not have been done
			r.endCalls()
			return
		}
		inputs, size := r.inbox.Take()
		r.inbox.Release(size)
		loop.Begin(time.Now())
		for i := range inputs {
			loop.Handle(&inputs[i])
		}
		clear(inputs)
		loop.End()
		timer.Reset(time.Until(loop.Deadline()))
	}
}

// do has the loop run f in its next turn. It reports false if the loop has ended.
func (r *Replica) do(f func(l *shell.Loop)) bool { return r.inbox.Add(shell.Input{Do: f}) }

// endCalls answers every caller that waits, since the loop ends.
func (r *Replica) endCalls() {
	why := r.whyClosed()
	for _, in := range r.inbox.Close() {
		if in.Call != nil {
			in.Call.Caller.Done(nil, shell.Because(ErrNotApplied, why))
		}
	}
	r.shell.Loop.Stop(why)
}
