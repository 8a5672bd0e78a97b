package sim

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/detector"
	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/judge"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// process is one run of a replica. It drives the shell of a real replica; each of its parts does one thing at a time
// and takes time for it. This file has its loop and its life, driver.go the other parts, observe.go the reports to the
// judge.
type process struct {
	s     *Sim
	h     *host
	p     *Setup // of this process, whose limits may be other ones than the run's
	shell *shell.Shell
	user  *user
	dead  bool

	inputs  []shell.Input // for the next turn
	spare   []shell.Input // memory for inputs
	turns   func()        // turn
	turnDue bool
	tickAt  time.Duration // the time at which the loop wakes up by itself

	writing, applying, fetching bool          // the parts of the shell that perform something: each performs one thing at a time
	writingSince                time.Duration // when the latest write began
	attempt                     int           // to write on a full disk; an earlier one that is still to come is void
	hurries                     bool          // the next attempt comes soon
	markDue                     bool
	releasing                   int          // snapshots whose files are about to be removed
	compacted                   vsr.OpNumber // the snapshot below which the log was last compacted

	proposals, reads []*Call      // waiting calls, in the order of their beginnings
	leaving          *fault.Fault // the Stop whose Leave the loop has performed, or nil

	servedAt time.Duration // when a call last had an answer, or a problem was reported, or the process began

	seen      vsr.State    // after the last turn
	takenBack vsr.OpNumber // as the judge knows it
}

func newProcess(h *host, m *contract.Machine) *process {
	p := &process{s: h.s, h: h, p: h.s.p}
	if p.p.Differ && !p.p.Volatile {
		p.p = p.p.differ(world.NewStream(p.p.Seed, "config", h.i, h.starts))
	}
	p.user, p.turns = &user{p, m}, p.turn
	return p
}

// config returns the configuration of the replica.
func (p *process) config() shell.Config {
	s, h, x := p.s, p.h, p.p
	c := vsr.Config{
		Self: vsr.Index(h.i), Members: s.members, Detector: detector.NewFixed(s.p.Trust),
		Heartbeat: s.p.Heartbeat, Abdication: cmp.Or(s.p.Abdication, time.Second), DiskLimit: x.DiskLimit,
		Window: x.Window, Tail: x.Tail, Results: s.p.Results, KeepLog: x.KeepLog, Volatile: s.p.Volatile,
		Rand: rand.New(rand.NewPCG(h.core.Uint64(), uint64(h.starts))),
	}
	if s.p.Trust == 0 {
		c.Detector = detector.Default(s.p.Heartbeat)
	}
	config := shell.Config{Core: c, Group: groupName, FS: h.fs, Dir: dataDir, SegmentSize: x.SegmentSize,
		ChunkSize: x.ChunkSize, PartSize: x.PartSize, SnapshotEvery: x.SnapshotEvery, SnapshotBytes: x.SnapshotBytes,
		MaxMessages: s.p.Inbox, User: p.user, Driver: p, Observer: p}
	if w, ok := s.watcher.(CoreWatcher); ok {
		config.Recorder = w.Recorder()
	}
	return config
}

// core returns the core, for inspection.
func (p *process) core() *vsr.Replica { return p.shell.Loop.Core() }

// begin begins the life of the process.
func (p *process) begin() {
	p.seen, p.servedAt = p.core().State(), p.s.Now()
	p.s.judged(p.s.judge.Started(p.h.i, p.seen))
	p.s.net.Revive(p.h.i)
	p.wake()
}

// end ends the process, and drops all its events.
func (p *process) end() {
	p.dead, p.h.proc = true, nil
	p.dropCalls()
	if p.s.watcher != nil {
		p.s.watcher.Lived(p.s.Now(), p.h.i, false)
	}
}

// after calls do after d, unless the process has ended by then; a pause delays the call.
func (p *process) after(d time.Duration, do func()) { p.s.AfterBy(p, d, do) }

// onDisk uses the disk, in which the machine may go down.
func (p *process) onDisk(do func()) {
	do()
	p.survives(nil)
}

// survives reports whether the process goes on. It ends it if the machine goes down in the use of the disk that is just
// over, or because of err.
func (p *process) survives(err error) bool {
	switch {
	case p.h.faults.crashing:
		p.h.endCrash()
	case err != nil:
		p.stops(err)
	}
	return !p.dead && err == nil
}

// stops ends the process because of an error that a replica does not survive. Unless the disk's faults explain it, the
// error is a violation.
func (p *process) stops(err error) {
	if p.dead || p.h.faults.crashing {
		return // it is going down anyway
	}
	if !p.h.faults.explains(err) {
		p.s.failOn(p.h.id, err)
		return
	}
	p.s.note(p.h.i, noteStops, 0, err)
	if p.h.faults.showsLoss(err) {
		p.h.endProcess(false, p.h.disk.Rand)
		p.h.loseMemory(err)
		return
	}
	p.h.stopForNow()
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
		p.after(p.h.turnWait(), p.turns)
	}
}

// turn performs one turn of the loop, with all waiting inputs. The process may go down at any point in it.
func (p *process) turn() {
	if p.turnDue = false; p.leaving != nil {
		p.close()
		return
	}
	inputs, loop := p.inputs, &p.shell.Loop
	p.inputs = p.spare
	loop.Begin(p.h.now())
	for i := range inputs {
		loop.Handle(&inputs[i])
	}
	clear(inputs)
	p.spare = inputs[:0]
	loop.End()
	switch {
	case p.dead:
	case p.leaving != nil:
		p.turnDue = true
		p.after(p.h.core.Between(0, stopTime), p.turn)
	default:
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
	p.after(at-p.s.Now(), p.awake)
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
	in, err := p.shell.Receive(p.s.hosts[from].id, b)
	switch {
	case errors.Is(err, shell.ErrOverloaded):
		p.s.stats.Dropped++
		p.s.note(p.h.i, "drops a message from %s: %v", uint64(from), fault.Name(from), err)
		return
	case err != nil:
		p.s.failOn(p.h.id+": a message from "+fault.Name(from), err)
		return
	}
	p.s.hash(p.h.i, actionReceive, uint64(from))
	p.s.sum.mixMessage(b)
	p.queue(in)
	p.s.happened(p.h, fault.Received, vsr.KindOf(in.Receive.Message))
}

// send puts a message on a link.
func (s *Sim) send(from, to int, b []byte, m vsr.Message) {
	s.messages++
	s.hash(from, actionSend, uint64(b[1])<<40|uint64(to)<<32|uint64(len(b)))
	if s.watcher != nil {
		s.watcher.Sent(s.Now(), s.messages, from, to, m)
	}
	s.stats.Messages++
	kind := vsr.KindOf(m)
	s.net.Links[from][to].Send(s.messages, b, int(kind), !wire.Ahead(b))
}

// group is the members that the network connects.
type group struct{ *Sim }

func (g group) Up(i int) bool { return g.hosts[i].proc != nil && !g.hosts[i].proc.Stopping() }

func (g group) Receive(from, to int, b []byte) { g.hosts[to].proc.receive(from, b) }

// Altered checks that an altered message is noticed.
func (g group) Altered(b []byte) {
	if _, _, err := wire.DecodeMessage(b, g.tag); err == nil {
		g.fail("F2", "a message with a flipped bit is taken for a good one")
	}
}

// Fits reports whether an old message names the view that its receiver is in, or no view.
func (g group) Fits(to int, b []byte) bool {
	p := g.hosts[to].proc
	_, m, err := wire.DecodeMessage(b, g.tag)
	if p == nil || err != nil {
		return false
	}
	view, ok := judge.ViewOf(m)
	return !ok || view == p.seen.Head.View
}

// Severed reports whether an outage cuts the link, or its members stay apart.
func (g group) Severed(from, to int) bool {
	if other, ok := g.apart[from]; ok && other == to {
		return true
	}
	return from != to && (g.hosts[from].outage == outageUnheard || g.hosts[to].outage == outageDeaf)
}
