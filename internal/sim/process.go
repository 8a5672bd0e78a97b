package sim

import (
	"math/rand/v2"
	"time"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/detector"
	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// process is one run of a replica. It drives the shell of a real replica; each of its parts does one thing at a time and
// takes time for it. This file has its loop and its life, driver.go the other parts, observe.go the reports to the judge.
type process struct {
	s     *Sim
	h     *host
	shell *shell.Shell
	user  *user
	dead  bool

	inputs   []shell.Input // for the next turn
	spare    []shell.Input // memory for the inputs after it
	nextTurn func()        // the method turn, bound once
	wakeUp   func()        // the method awake, bound once
	turnDue  bool
	tickAt   time.Duration // the time at which the loop wakes up by itself

	writing, applying, fetching activity
	attempt                     int  // to write on a full disk; an earlier one that is still to come is void
	hurries                     bool // the next attempt comes soon
	markDue                     bool
	releasing                   int          // snapshots whose files are about to be removed
	compacted                   vsr.OpNumber // the snapshot below which the log was last compacted

	proposals, reads []*Call // waiting calls, in the order of their beginnings

	seen vsr.State // after the last turn
}

// activity is a part of the shell that performs one thing at a time.
type activity struct {
	busy bool
	done func() // ends it; bound once
}

func newProcess(h *host, m *contract.Machine) *process {
	p := &process{s: h.s, h: h}
	p.user = &user{p, m}
	p.nextTurn, p.wakeUp = p.turn, p.awake
	p.writing.done, p.applying.done, p.fetching.done = p.written, p.stepped, p.fetched
	return p
}

// config returns the configuration of the replica.
func (p *process) config() shell.Config {
	s, h := p.s, p.h
	c := vsr.Config{
		Self: vsr.Index(h.i), Members: s.members, Detector: detector.NewFixed(s.p.Trust),
		Heartbeat: s.p.Heartbeat, Abdication: time.Second, DiskLimit: s.p.DiskLimit,
		Window: s.p.Window, Tail: s.p.Tail, KeepLog: s.p.KeepLog, Volatile: s.p.Volatile,
		Rand: rand.New(rand.NewPCG(h.core.Uint64(), uint64(h.starts))),
	}
	if s.p.Trust == 0 {
		c.Detector = detector.NewAdaptive(5*s.p.Heartbeat, 40*s.p.Heartbeat)
	}
	c.IdleHeartbeat = detector.IdleHeartbeat(c.Detector, c.Heartbeat, c.Abdication)
	config := shell.Config{Core: c, Group: groupName, FS: h.fs, Dir: dataDir, SegmentSize: s.p.SegmentSize, ChunkSize: s.p.ChunkSize,
		SnapshotEvery: s.p.SnapshotEvery, SnapshotBytes: s.p.SnapshotBytes, User: p.user, Driver: p, Observer: p}
	if w, ok := s.watcher.(CoreWatcher); ok {
		config.Recorder = w.Recorder()
	}
	return config
}

// core returns the core, for inspection.
func (p *process) core() *vsr.Replica { return p.shell.Loop.Core() }

// begin begins the life of the process.
func (p *process) begin() {
	p.seen = p.core().State()
	p.s.judged(p.s.judge.Started(p.h.i, p.seen))
	p.wake()
}

// end ends the process, and drops all its events.
func (p *process) end() {
	p.dead = true
	p.gone()
}

// after calls do after d, unless the process has ended by then; a pause delays the call.
func (p *process) after(d time.Duration, do func()) { p.s.AfterBy(p, d, do) }

// onDisk uses the disk, in which the machine may go down.
func (p *process) onDisk(do func()) {
	do()
	if p.h.faults.burnt {
		p.h.burnDown()
	}
}

// stops ends the process because of an error that a replica does not survive. Unless the disk's faults excuse it, the
// error is a violation.
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

// queue adds an input for the next turn of the loop.
func (p *process) queue(in shell.Input) {
	p.inputs = append(p.inputs, in)
	p.wake()
}

// wake schedules a turn of the loop.
func (p *process) wake() {
	if !p.turnDue {
		p.turnDue = true
		p.after(p.h.turnWait(), p.nextTurn)
	}
}

// turn performs one turn of the loop, with all waiting inputs. The process may go down at any point in it.
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

// sleep schedules the loop's wake-up for the deadline of the core.
func (p *process) sleep() {
	at := max(p.h.clock.When(p.shell.Loop.Deadline()), p.s.Now()+time.Microsecond)
	if p.tickAt > p.s.Now() && p.tickAt <= at {
		return // the earlier wake-up looks again
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

// PausedUntil returns the end of a pause of the process or its machine.
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
