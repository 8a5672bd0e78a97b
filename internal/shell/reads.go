package shell

import (
	"slices"

	"github.com/smr-go/smr/internal/vsr"
)

// Read is a caller of this replica that waits until the state is fresh enough to be read. The loop owns it until
// Reader.Ready, or CancelRead.
type Read struct {
	AtLeast      vsr.OpNumber // to be applied first (R4)
	Linearizable bool         // AtLeast is found out by a round (R1)
	Reader       Reader

	number uint64 // the core's, of a linearizable read
}

// Reader learns that its read may run. The loop calls Ready once; Ready must not call the loop.
type Reader interface {
	Ready()
}

// Runs reports whether the read may run on a state to which everything up to applied was applied, without the loop.
func (x *Read) Runs(applied vsr.OpNumber) bool { return !x.Linearizable && x.AtLeast <= applied }

// reads are the reads that wait. Owned by the loop.
type reads struct {
	loop        *Loop
	unconfirmed map[uint64]*Read // linearizable, by number
	unapplied   []*Read          // AtLeast is known, and not yet applied
}

// Read begins to wait for a read.
func (l *Loop) Read(x *Read) {
	if !x.Linearizable {
		l.reads.await(x)
		return
	}
	e := vsr.Read{}
	l.step(&e)
	x.number = e.Number
	l.reads.unconfirmed[e.Number] = x
}

// confirmed takes the core's word that a read may run once an op is applied (R1).
func (q *reads) confirmed(r vsr.ReadReady) {
	if x := q.unconfirmed[r.Read]; x != nil {
		delete(q.unconfirmed, r.Read)
		x.AtLeast, x.Linearizable = r.Op, false
		q.await(x)
	}
}

// await releases a read whose op is applied, and keeps it otherwise.
func (q *reads) await(x *Read) {
	if x.Runs(q.loop.applied) {
		x.Reader.Ready()
		return
	}
	q.unapplied = append(q.unapplied, x)
}

// advance releases the reads whose op has been applied.
func (q *reads) advance() {
	q.unapplied = slices.DeleteFunc(q.unapplied, func(x *Read) bool {
		if x.AtLeast > q.loop.applied {
			return false
		}
		x.Reader.Ready()
		return true
	})
}

// CancelRead forgets a read that its caller gives up. Its Reader is not called after that.
func (l *Loop) CancelRead(x *Read) {
	q := &l.reads
	if x.number != 0 && q.unconfirmed[x.number] == x {
		delete(q.unconfirmed, x.number)
		l.step(&vsr.ForgetRead{Read: x.number})
		return
	}
	q.unapplied = slices.DeleteFunc(q.unapplied, func(y *Read) bool { return y == x })
}
