package sim

import (
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// inbox is what the loop of a process will take up in its next turn.
type inbox struct {
	waiting []input
	taken   []input // memory of the turn before, for the turn after
}

// input is an event for the core: a message, or what do says, or tell with its number. There are
// three forms since most events are of the first and the last, which need no memory of their own.
type input struct {
	do func(now time.Time)

	tell   func(core *vsr.Replica, now time.Time, number uint64)
	number uint64

	from    vsr.Index
	header  vsr.Header
	message vsr.Message
}

// input puts an event into the inbox of the loop, which comes round soon.
func (p *process) input(do func(now time.Time)) { p.queue(input{do: do}) }

// tell is input for an event that is told with a number.
func (p *process) tell(event func(core *vsr.Replica, now time.Time, number uint64), number uint64) {
	p.queue(input{tell: event, number: number})
}

func (p *process) queue(x input) {
	p.inbox.waiting = append(p.inbox.waiting, x)
	if !p.turnDue {
		p.turnDue = true
		p.after(p.h.turnWait(), p.nextTurn)
	}
}

// takeUp has the core take up all that waits.
func (x *inbox) takeUp(core *vsr.Replica, now time.Time) {
	events := x.waiting
	x.waiting = x.taken
	for i := range events {
		events[i].reach(core, now)
	}
	clear(events)
	x.taken = events[:0]
}

func (x *input) reach(core *vsr.Replica, now time.Time) {
	switch {
	case x.message != nil:
		core.Step(now, &vsr.Receive{From: x.from, Header: x.header, Message: x.message})
	case x.tell != nil:
		x.tell(core, now, x.number)
	default:
		x.do(now)
	}
}

// nothing is an event that only has the loop come round.
func nothing(time.Time) {}
