package shell

import (
	"errors"
	"slices"

	"github.com/smr-go/smr/internal/vsr"
)

// Read is a caller of this replica that waits until the state is fresh enough to be read. The loop owns it until
// Reader.Ready, or CancelRead.
type Read struct {
	AtLeast      vsr.OpNumber // to be applied first (R4)
	Linearizable bool         // a round determines AtLeast (R1)
	Reader       Reader

	number uint64 // the core's, of a linearizable read
}

// Reader is notified that its read may run, or, with an ErrNoState, that it never may. The loop calls Ready once; Ready
// must not call the loop.
type Reader interface {
	Ready(err error)
}

// Runs reports whether the read may run on a state to which everything up to applied was applied, without the loop (R4).
// A local read, whose AtLeast is 0, may run on any state of the group, and the loop knows whether there is one (R5).
func (x *Read) Runs(applied vsr.OpNumber) bool {
	return !x.Linearizable && max(x.AtLeast, 1) <= applied
}

// reads are the reads that wait. Owned by the loop.
type reads struct {
	loop        *Loop
	unconfirmed numbered[Read] // linearizable
	unapplied   []*Read        // AtLeast is known, and not yet applied
	stateless   []*Read        // local, while this replica holds nothing of a group
}

// read begins to wait for a read.
func (l *Loop) read(x *Read) {
	if !x.Linearizable {
		l.reads.await(x)
		return
	}
	e := &l.memory.read
	l.step(e)
	x.number = e.Number
	l.reads.unconfirmed.add(x.number, x)
}

// confirmed handles the core's report that a read may run once an op is applied (R1).
func (q *reads) confirmed(r vsr.ReadReady) {
	if x := q.unconfirmed.take(r.Read); x != nil {
		x.AtLeast, x.Linearizable = r.Op, false
		q.await(x)
	}
}

// await releases a read whose op is applied, and keeps it otherwise.
func (q *reads) await(x *Read) {
	if x.Runs(q.loop.applied) {
		x.Reader.Ready(nil)
		return
	}
	if x.AtLeast == 0 {
		q.stateless = append(q.stateless, x) // until the end of this turn, or until a group exists
		return
	}
	q.unapplied = append(q.unapplied, x)
}

// follow releases local reads once this replica holds an entry or a snapshot of a group, because its state machine then
// has a state of that group, even if that is the initial one (R5). At a replica that is not in its group it refuses all
// reads.
func (q *reads) follow(s *vsr.State) {
	if s.Phase == vsr.Outside {
		q.refuse(noState(s))
	} else if s.Last.Op > 0 {
		for _, x := range q.stateless {
			x.Reader.Ready(nil)
		}
		q.stateless = nil
	}
}

// refuse ends all reads.
func (q *reads) refuse(why error) {
	for _, number := range q.unconfirmed.numbers() {
		x := q.unconfirmed.get(number)
		q.loop.CancelRead(x)
		x.Reader.Ready(why)
	}
	for _, x := range slices.Concat(q.unapplied, q.stateless) {
		x.Reader.Ready(why)
	}
	q.unapplied, q.stateless = nil, nil
}

// noState returns the error of calls and reads at a replica that lost its memory of its group, or never was in it (S3):
// its state machine is empty although the group's is not.
func noState(s *vsr.State) error { return Because(ErrNoState, errors.New(s.Hindrance())) }

// advance releases the reads whose op has been applied.
func (q *reads) advance() {
	q.unapplied = slices.DeleteFunc(q.unapplied, func(x *Read) bool {
		if x.AtLeast > q.loop.applied {
			return false
		}
		x.Reader.Ready(nil)
		return true
	})
}

// CancelRead forgets a read that its caller has abandoned. Its Reader is not called after that.
func (l *Loop) CancelRead(x *Read) {
	q := &l.reads
	if x.number != 0 {
		q.unconfirmed.take(x.number)
		l.step(&vsr.ForgetRead{Read: x.number})
	}
	q.unapplied = slices.DeleteFunc(q.unapplied, func(y *Read) bool { return y == x })
	q.stateless = slices.DeleteFunc(q.stateless, func(y *Read) bool { return y == x })
}
