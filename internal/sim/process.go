package sim

import (
	"math/rand/v2"
	"time"

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

	inbox   []func(now time.Time) // what the loop will take up in its next turn
	turnDue bool
	tickAt  time.Duration // when the loop wakes up by itself

	writer  writer
	applier applier
	fetcher fetcher
	callers callers

	seen vsr.State // after the last turn
}

func newProcess(h *host, st *storage, f *found) *process {
	s := h.s
	p := &process{s: s, h: h, store: st}
	p.applier.restored = f.restored
	if f.Snapshot != nil {
		p.applier.at, p.applier.snapshot = f.Snapshot.Last.Op, f.Snapshot.Last.Op
	}
	p.core = vsr.New(vsr.Config{
		Self: vsr.Index(h.i), Members: s.members, Detector: &detector{timeout: s.p.Trust},
		Heartbeat: s.p.Heartbeat, Abdication: time.Second, DiskLimit: s.p.DiskLimit,
		Window: s.p.Window, Tail: s.p.Tail, KeepLog: s.p.KeepLog,
		Rand: rand.New(rand.NewPCG(h.core.Uint64(), uint64(h.starts))),
	}, f.Durable, h.clock())
	p.seen = p.core.State()
	p.input(func(time.Time) {})
	return p
}

// detector trusts for a fixed time.
type detector struct {
	timeout time.Duration
	last    time.Time
}

func (d *detector) Reset(now time.Time) { d.last = now }
func (d *detector) Heard(now time.Time) { d.last = now }
func (d *detector) Deadline() time.Time { return d.last.Add(d.timeout) }

// end is the end of the process: nothing of it happens any more.
func (p *process) end() {
	p.dead = true
	p.callers.gone(p.s)
}

// after has do called then, by this process: not if it has ended, and later if it is paused.
func (p *process) after(d time.Duration, do func()) {
	var run func()
	run = func() {
		switch {
		case p.dead || p.s.err != nil:
		case p.s.now < p.h.pausedUntil:
			p.s.at(p.h.pausedUntil, run)
		default:
			do()
		}
	}
	p.s.after(d, run)
}

// io does something with the disk, in which the machine may go down.
func (p *process) io(do func() error) error {
	err := do()
	if p.h.burnt {
		p.h.down(true)
	}
	return err
}

// broken stops the simulation for an error that the disk has not been made to give.
func (p *process) broken(what string, err error) {
	p.s.fail("%s: %s: %v", name(p.h.i), what, err)
}

// input puts an event into the inbox of the loop, which comes round soon.
func (p *process) input(event func(now time.Time)) {
	p.inbox = append(p.inbox, event)
	if !p.turnDue {
		p.turnDue = true
		p.after(p.h.core.between(0, p.s.p.Turn), p.turn)
	}
}

// turn is one round of the loop: all events that wait, one Ready.
func (p *process) turn() {
	p.turnDue = false
	now := p.h.clock()
	inbox := p.inbox
	p.inbox = nil
	for _, event := range inbox {
		event(now)
	}
	if !now.Before(p.core.Deadline()) {
		p.core.Tick(now)
	}
	out := p.core.Ready(now)
	p.s.record(p, &out)
	p.perform(&out)
	if !p.dead {
		p.s.check(p)
		p.sleep()
	}
}

// sleep has the loop wake up when the core wants to be told the time.
func (p *process) sleep() {
	at := max(p.h.when(p.core.Deadline()), p.s.now+time.Microsecond)
	if p.tickAt > p.s.now && p.tickAt <= at {
		return // wakes up before, and sees then
	}
	p.tickAt = at
	p.after(at-p.s.now, func() {
		if p.s.now < p.tickAt || p.turnDue {
			return
		}
		if p.h.clock().Before(p.core.Deadline()) {
			p.sleep()
			return
		}
		p.input(func(time.Time) {})
	})
}

// perform does what a turn has given out. The process may go down at any point of it.
func (p *process) perform(out *vsr.Output) {
	if out.Err != nil {
		p.broken("the core stops", out.Err)
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
		p.compact(*out.Compact)
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
	p.s.checkClaims(p, header, m)
	b := wire.AppendMessage(nil, p.s.tag, header, m.Message)
	for _, to := range m.To {
		p.s.links[p.h.i][to].send(b, m.Message)
		p.s.aimed(p.h, sent, m.Message)
		if p.dead {
			return
		}
	}
}

// receive takes a message off the network.
func (p *process) receive(from int, b []byte) {
	h, m, err := wire.DecodeMessage(b, p.s.tag)
	if err != nil {
		p.broken("a message from "+name(from), err)
		return
	}
	p.s.note(p.h.i, "takes from", uint64(from), vsr.Index(from), m)
	p.input(func(now time.Time) { p.core.Receive(now, vsr.Index(from), h, m) })
	p.s.aimed(p.h, received, m)
}
