package smr

import (
	"time"

	"github.com/smr-go/smr/internal/shell"
)

// receive takes a message from the transport. It is checked here, in the transport's goroutine, so that the
// loop can trust it.
func (r *Replica) receive(from ID, b []byte) {
	in, err := r.shell.Receive(string(from), b)
	if err != nil {
		r.log.Debug("a message was dropped", "from", string(from), "bytes", len(b), "error", err)
		return
	}
	r.inbox.Add(in)
}

// loop runs the shell's loop until the replica stops. It waits for nothing but its inbox and the core's deadline.
func (r *Replica) loop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	loop, gathers := &r.shell.Loop, gathering{}
	for {
		select {
		case <-r.stop:
		case <-r.inbox.Wake():
			if loop.Callers() > 1 { // one caller only waits for its own result
				gathers.yield()
			}
		case <-timer.C:
		}
		r.pace("loop")
		if r.stopping() { // what the core wanted done last may not have been done
			loop.Stop(r.whyClosed(), r.inbox.Close())
			return
		}
		inputs, _ := r.inbox.Take()
		loop.Begin(time.Now())
		for i := range inputs {
			loop.Handle(&inputs[i])
		}
		clear(inputs)
		loop.End()
		timer.Reset(time.Until(loop.Deadline()))
	}
}

// do makes the loop run f in its next turn. It reports false if the loop has ended.
func (r *Replica) do(f func(l *shell.Loop)) bool { return r.inbox.Add(shell.Input{Do: f}) }
