package sim

import (
	"math/rand/v2"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// process is one run of a replica. It drives the shell that a real replica has: each part does one thing at a time, and
// takes time for it. Here are its loop and its life; driver.go has the other parts, observe.go what the judge learns.
type process struct {
	s     *Sim
	h     *host
	shell *shell.Shell
	user  *user
	dead  bool

	inputs   []shell.Input // for the next turn
	spare    []shell.Input // memory for those after it
	nextTurn func()        // turn, made once
	wakeUp   func()        // awake, likewise
	turnDue  bool
	tickAt   time.Duration // when the loop wakes up by itself

	writing, applying, fetching activity
	markAt                      time.Duration
	markDue                     bool
	compacted                   vsr.OpNumber // the snapshot below which the log was last compacted

	proposals, reads []*Call // that wait, in the order in which they began

	seen vsr.State // after the last turn
}

// activity is a part of the shell that is doing something. Only one thing at a time is done.
type activity struct {
	busy bool
	done func() // the end of the present thing, made once
}

func newProcess(h *host, m *contract.Machine) *process {
	p := &process{s: h.s, h: h}
	p.user = &user{p, m}
	p.nextTurn, p.wakeUp = p.turn, p.awake
	p.writing.done, p.applying.done, p.fetching.done = p.written, p.stepped, p.fetched
	return p
}

// config returns what the replica is started with.
func (p *process) config() shell.Config {
	s, h := p.s, p.h
	c := vsr.Config{
		Self: vsr.Index(h.i), Members: s.members, Detector: smr.NewFixedDetector(s.p.Trust),
		Heartbeat: s.p.Heartbeat, Abdication: time.Second, DiskLimit: s.p.DiskLimit,
		Window: s.p.Window, Tail: s.p.Tail, KeepLog: s.p.KeepLog, Volatile: s.p.Volatile,
		Rand: rand.New(rand.NewPCG(h.core.Uint64(), uint64(h.starts))),
	}
	if s.p.Trust == 0 {
		c.Detector = smr.NewAdaptiveDetector(5*s.p.Heartbeat, 40*s.p.Heartbeat)
		c.IdleHeartbeat = 4 * s.p.Heartbeat
	}
	return shell.Config{Core: c, Group: groupName, FS: h.fs, Dir: dataDir, SegmentSize: s.p.SegmentSize, ChunkSize: s.p.ChunkSize,
		SnapshotEvery: s.p.SnapshotEvery, User: p.user, Driver: p, Observer: p}
}

// core returns the core, to be looked at.
func (p *process) core() *vsr.Replica { return p.shell.Loop.Core() }

// begin begins the process's life.
func (p *process) begin() {
	p.seen = p.core().State()
	p.s.judged(p.s.judge.Started(p.h.i, p.seen))
	p.wake()
}

// end is the end of the process: nothing of it happens any more.
func (p *process) end() {
	p.dead = true
	p.gone()
}

// after has do called then, by this process: not if it has ended, and later if it is paused.
func (p *process) after(d time.Duration, do func()) { p.s.AfterBy(p, d, do) }

// onDisk does something with the disk, in which the machine may go down.
func (p *process) onDisk(do func()) {
	do()
	if p.h.faults.burnt {
		p.h.burnDown()
	}
}

// stops ends the process because of an error for which a replica stops. If the disk was not made to give it, something
// is wrong.
func (p *process) stops(err error) {
	if p.dead || p.h.faults.burnt {
		return // it is going down anyway
	}
	if !p.h.faults.excuses(err) {
		p.s.broke(p.h.id, err)
		return
	}
	p.s.note(p.h.i, "stops:", 0, err)
	p.h.down(false, p.h.patience())
}

// queue adds an input for the loop, whose next turn is due soon.
func (p *process) queue(in shell.Input) {
	p.inputs = append(p.inputs, in)
	p.wake()
}

// wake has the loop come round soon.
func (p *process) wake() {
	if !p.turnDue {
		p.turnDue = true
		p.after(p.h.turnWait(), p.nextTurn)
	}
}

// turn is one turn of the loop, with all inputs that wait. The process may go down at any point of it.
func (p *process) turn() {
	p.turnDue = false
	inputs, loop := p.inputs, &p.shell.Loop
	p.inputs = p.spare
	loop.Begin(p.h.now())
	for i := range inputs {
		loop.Handle(&inputs[i])
	}
	clear(inputs)
	p.spare = inputs[:0]
	loop.End()
	if !p.dead {
		p.sleep()
	}
}

// sleep has the loop wake up when the core wants to be told the time.
func (p *process) sleep() {
	at := max(p.h.clock.When(p.shell.Loop.Deadline()), p.s.Now()+time.Microsecond)
	if p.tickAt > p.s.Now() && p.tickAt <= at {
		return // wakes up before, and sees then
	}
	p.tickAt = at
	p.after(at-p.s.Now(), p.wakeUp)
}

func (p *process) awake() {
	switch {
	case p.s.Now() < p.tickAt || p.turnDue:
	case p.h.now().Before(p.shell.Loop.Deadline()):
		p.sleep()
	default:
		p.wake()
	}
}

// PausedUntil returns the end of the pause of the process or its machine.
func (p *process) PausedUntil() time.Duration { return p.h.pausedUntil }

// receive takes a message off the network.
func (p *process) receive(from int, b []byte) {
	h, m, err := wire.DecodeMessage(b, p.s.tag)
	if err != nil {
		p.s.broke(p.h.id+": a message from "+fault.Name(from), err)
		return
	}
	p.s.mark(p.h.i, marksReceive, uint64(from))
	p.s.sum.mixMessage(b)
	p.queue(shell.Input{Receive: vsr.Receive{From: vsr.Index(from), Header: h, Message: m}})
	p.s.happened(p.h, fault.Received, vsr.KindOf(m))
}
