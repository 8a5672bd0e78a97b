package sim

import (
	"math/rand/v2"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// process is one run of a replica: the shell that performs what the core decides. What the
// goroutines of a real shell do are activities here: writer, applier, fetcher, each of which does
// one thing at a time, and takes time.
type process struct {
	s     *Sim
	h     *host
	core  *vsr.Replica
	store *storage
	dead  bool

	inbox    inbox
	nextTurn func() // turn, made once
	wakeUp   func() // awake, likewise
	turnDue  bool
	tickAt   time.Duration // when the loop wakes up by itself

	writer  writer
	applier applier
	fetcher fetcher
	callers callers

	seen vsr.State // after the last turn
}

func newProcess(h *host, st *storage, f *found) *process {
	s := h.s
	p := &process{s: s, h: h, store: st}
	p.applier.restored, p.applier.snapshot = f.restored, f.State.Last.Op
	cfg := vsr.Config{
		Self: vsr.Index(h.i), Members: s.members, Detector: smr.NewFixedDetector(s.p.Trust),
		Heartbeat: s.p.Heartbeat, Abdication: time.Second, DiskLimit: s.p.DiskLimit,
		Window: s.p.Window, Tail: s.p.Tail, KeepLog: s.p.KeepLog, Volatile: s.p.Volatile,
		Rand: rand.New(rand.NewPCG(h.core.Uint64(), uint64(h.starts))),
	}
	if s.p.Trust == 0 {
		cfg.Detector = smr.NewAdaptiveDetector(5*s.p.Heartbeat, 40*s.p.Heartbeat)
		cfg.IdleHeartbeat = 4 * s.p.Heartbeat
	}
	p.core = vsr.New(cfg, f.Durable, h.now())
	p.seen, p.nextTurn, p.wakeUp = p.core.State(), p.turn, p.awake
	p.writer.done, p.writer.idle, p.applier.done = p.written, p.markIdle, p.jobDone
	s.judged(s.judge.Started(h.i, p.seen))
	p.input(nothing)
	return p
}

// end is the end of the process: nothing of it happens any more.
func (p *process) end() {
	p.dead = true
	p.callers.gone(p)
}

// after has do called then, by this process: not if it has ended, and later if it is paused.
func (p *process) after(d time.Duration, do func()) { p.s.byProcess(p, d, do) }

// io does something with the disk, in which the machine may go down.
func (p *process) io(do func() error) error {
	err := do()
	if p.h.ailing.burnt {
		p.h.burnDown()
	}
	return err
}

// broken is an error that a replica stops for: the process ends. If the disk was not made to give
// it, something is wrong.
func (p *process) broken(what string, err error) {
	if !p.h.ailing.excuses(err) {
		p.s.broke(Name(p.h.i)+": "+what, err)
		return
	}
	p.s.note(p.h.i, "stops:", 0, what, err)
	p.h.down(false, p.h.patience())
}

// turn is one round of the loop: all events that wait, one Ready.
func (p *process) turn() {
	p.turnDue = false
	now := p.h.now()
	p.inbox.takeUp(p.core, now)
	if !now.Before(p.core.Deadline()) {
		p.core.Step(now, &vsr.Tick{})
	}
	out := p.core.Ready(now)
	p.s.record(p, &out)
	p.perform(&out)
	if !p.dead {
		p.s.check(p)
	}
	if !p.dead {
		p.sleep()
	}
}

// sleep has the loop wake up when the core wants to be told the time.
func (p *process) sleep() {
	at := max(p.h.clock.when(p.core.Deadline()), p.s.now+time.Microsecond)
	if p.tickAt > p.s.now && p.tickAt <= at {
		return // wakes up before, and sees then
	}
	p.tickAt = at
	p.after(at-p.s.now, p.wakeUp)
}

func (p *process) awake() {
	switch {
	case p.s.now < p.tickAt || p.turnDue:
	case p.h.now().Before(p.core.Deadline()):
		p.sleep()
	default:
		p.input(nothing)
	}
}

// perform does what a turn has given out. The process may go down at any point of it.
func (p *process) perform(out *vsr.Output) {
	if out.Err != nil {
		p.s.broke(Name(p.h.i)+": the core stops", out.Err)
		return
	}
	if out.Save != nil {
		p.save(out.Save)
	}
	for _, m := range out.Messages {
		p.send(m)
	}
	if out.Restore != nil {
		p.restore(*out.Restore)
	}
	p.apply(out.Apply)
	if out.Retake {
		p.retake()
	}
	for _, l := range out.Loads {
		p.load(l)
	}
	for _, x := range out.Settled {
		p.callers.settled(p, x)
	}
	for _, x := range out.Reads {
		p.callers.confirmed(p, x)
	}
	if out.Compact != nil {
		p.write(store.Write{Compact: out.Compact})
	}
	for _, c := range out.Chunks {
		p.sendChunk(c)
	}
	for _, f := range out.Fetch {
		p.fetch(f)
	}
}

// send encodes a message once, and sends it to each.
func (p *process) send(m vsr.Outgoing) {
	if p.dead {
		return
	}
	header := p.core.Header()
	p.s.judged(p.s.judge.Sends(p.h.i, header, m.Message))
	b := p.s.encode(header, m.Message)
	p.s.sum.mixMessage(b)
	kind := vsr.KindOf(m.Message)
	for _, to := range m.To {
		p.s.links[p.h.i][to].send(b, m.Message)
		p.s.happened(p.h, fault.Sent, kind)
		if p.dead {
			return
		}
	}
}

// encode returns the bytes of a message. Small ones, of which nobody keeps a part, share memory.
func (s *Sim) encode(h vsr.Header, m vsr.Message) []byte {
	switch m.(type) {
	case *vsr.Prepare, *vsr.NewState, *vsr.Request, *vsr.SnapshotChunk:
		return wire.AppendMessage(nil, s.tag, h, m)
	}
	start := len(s.small)
	if cap(s.small)-start < wire.MessageOverhead {
		s.small, start = make([]byte, 0, 64*wire.MessageOverhead), 0
	}
	b := wire.AppendMessage(s.small, s.tag, h, m)
	s.small = b
	return b[start:len(b):len(b)]
}

// receive takes a message off the network.
func (p *process) receive(from int, b []byte) {
	h, m, err := wire.DecodeMessage(b, p.s.tag)
	if err != nil {
		p.s.broke(Name(p.h.i)+": a message from "+Name(from), err)
		return
	}
	p.s.mark(p.h.i, marksReceive, uint64(from))
	p.s.sum.mixMessage(b)
	p.queue(input{from: vsr.Index(from), header: h, message: m})
	p.s.happened(p.h, fault.Received, vsr.KindOf(m))
}
