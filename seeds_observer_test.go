package smr

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/smr-go/smr/internal/hello"
	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/judge"
	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// observer watches one replica for the checker, and chooses its delays. After detach it reports nothing. The checker's
// lock guards all that changes.
type observer struct {
	c        *checker
	id       ID
	i        int
	machine  *tally
	secret   [32]byte
	r        *Replica // nil until it has started
	shell    *shell.Shell
	detached bool
	closed   bool       // Close has returned
	rng      *rand.Rand // of the delays
	slow     map[string]time.Duration
	until    time.Time // paused until then
	forges   bool      // the next Request is forged
	slept    time.Time // no goroutine that was paused sleeps longer
	left     vsr.View  // all views below it: it has voted to leave them

	view    uint64    // of the latest status
	turn    vsr.State // after the last turn
	ended   time.Time // when that ended
	second  time.Time // the last second of these turns
	turns   int
	applied vsr.OpNumber
	back    vsr.OpNumber // the highest commit number before the log was cut on a full disk (F13)
	watched Status       // what a watcher has last seen
	heard   int          // messages of the primary that the detector was told of
	listens bool         // its detector reports that

	reads, handovers inside
	compact          *vsr.Compact // issued, and not performed when the last turn ended
	compacted        bool         // it is performed by now
	behind           uint64       // the save that was issued before it
	covered          vsr.OpNumber // a mark of the log distinguishes rot from a torn write up to there (S5)
	issued, saved    uint64       // the last save, and the last that is durable
	wrote            time.Time    // when that was
	asked, took      time.Time    // when the writer was given work that it had not, and when it last took some
	snapshot         vsr.OpNumber // of the last snapshot that was written
	fresh            bool         // this process has written or received it
}

// inside counts the callers that have entered a method and those that have left it.
type inside struct {
	began, ended int
	left         int // ended, when the last turn ended: by the next turn the loop has forgotten them
}

// most is how many of the callers the loop may hold. It is called at the end of each turn.
func (x *inside) most() int {
	n := x.began - x.left
	x.left = x.ended
	return n
}

func (c *checker) observe(id ID, start int) *observer {
	o := &observer{c: c, id: id, i: int(id[0] - 'a'), rng: stream(c.x.seed, fmt.Sprint("pace ", id, start)),
		slow: map[string]time.Duration{}}
	o.machine = &tally{happened: c.x.seen.happened, given: map[*byte]bool{}, pause: o.restoring,
		sleeps: func(d time.Duration) { c.locked(func() { o.sleeps(d) }) }}
	binary.LittleEndian.PutUint64(o.secret[:], o.rng.Uint64())
	for _, place := range []string{"loop", "writer", "applier", "fetcher", "background", "turned"} {
		o.slow[place] = []time.Duration{0, 0, 10 * time.Microsecond, time.Millisecond, 5 * time.Millisecond}[o.rng.IntN(5)]
	}
	return o
}

// detach ends the checks of this replica. The caller holds the checker's lock.
func (o *observer) detach() { o.detached = true }

// ignored reports whether the replica is not checked: it is detached, or there was a violation, after which the judge's
// account is incomplete. The caller holds the checker's lock.
func (o *observer) ignored() bool { return o.detached || o.c.violation != nil }

// sees calls f, unless the replica is ignored.
func (o *observer) sees(f func(j *judge.Judge) error) {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	o.mustRun()
	if !o.ignored() {
		o.c.found(f(o.c.judge))
	}
}

// mustRun notes a goroutine that is left after Close. The caller holds the checker's lock.
func (o *observer) mustRun() {
	if o.closed {
		o.c.found(fmt.Errorf("%s is closed, and one of its goroutines goes on", o.id))
	}
}

func (o *observer) configure(c *shell.Config) {
	c.Core.Rand = rand.New(rand.NewChaCha8(o.secret))
	c.ChunkSize, c.SegmentSize, c.Core.Tail = 256, 8<<10, 1<<10
	c.PartSize = []int{0, 64, 512}[o.rng.IntN(3)]
}

func (o *observer) opened(s *shell.Shell, d *vsr.Durable) {
	o.shell = s
	o.sees(func(j *judge.Judge) error {
		opened := judge.Opened{Durable: *d}
		if s.Log != nil {
			var err error
			if opened.Log, err = store.ReadAll(s.Log, s.Applier.Op(), d.Last.Op); err != nil && !o.c.rotten[o.id] {
				return err
			}
			o.c.rotten[o.id] = err != nil
		}
		if err := j.Opened(o.i, opened); err != nil {
			return err
		}
		o.covered = j.Disk(o.i).Last.Op
		if d.Snapshot != nil {
			o.snapshot = d.Snapshot.Last.Op
			if err := j.Restored(o.i, d.Snapshot.Last.Op, o.machine.digest); err != nil {
				return err
			}
		}
		o.turn = s.Loop.Core().State()
		return j.Started(o.i, o.turn)
	})
}

func (o *observer) turned(s *vsr.State) {
	o.sees(func(j *judge.Judge) error {
		if strings.Contains(s.Problem, "the disk is full") {
			o.c.x.seen.happened("a disk is full")
		}
		l := &o.shell.Loop
		t := judge.Turn{State: *s, Check: cmp.Or(l.Core().Check(), l.Check(), o.checkTurn(s)), Compacts: o.compact != nil || o.c.x.volatile}
		t.Acknowledged, t.Lost = l.Core().Memories()
		t.TakenBack = l.Core().TakenBack()
		if o.compacted {
			o.compact, o.compacted = nil, false
		}
		o.turn, o.applied = *s, l.Applied()
		return j.Turned(o.i, t)
	})
	var d time.Duration
	o.c.locked(func() {
		d = o.lag("turned") // callers have their results, and the status does not show them yet
		o.ended = time.Now().Add(d)
		if o.ended.Sub(o.second) > time.Second {
			o.second, o.turns = o.ended, 0
		}
		if o.turns++; o.turns > 20_000 {
			panic(fmt.Sprintf("the loop of %s turns without end; before that: %v", o.id, o.c.violation))
		}
	})
	time.Sleep(d)
}

// checkTurn checks what the runtime adds to the loop, at the end of a turn.
func (o *observer) checkTurn(s *vsr.State) error {
	_, reads := o.shell.Loop.Waiting()
	mostReads, handovers := o.reads.most(), o.handovers.most()
	switch {
	case o.r == nil: // it is about to start
	case reads > mostReads:
		return fmt.Errorf("R1: %d reads wait in the loop, and %d callers", reads, mostReads)
	case s.HandingOver && handovers == 0:
		return fmt.Errorf("V2: %s hands its role over, and no caller waits for that", o.id)
	case o.c.x.faults[o.id].failedBefore(time.Now().Add(-100*time.Millisecond), o.slept):
		return fmt.Errorf("F12: %s goes on after a sync of its log has failed", o.id)
	case o.writerSleeps():
		return fmt.Errorf("%s gave its writer work at %v, and the writer took the last at %v", o.id, o.asked, o.took)
	case !o.ended.IsZero():
		return o.published()
	}
	return nil
}

// writerSleeps reports whether the writer has not taken work that waits, although it was not paused and its disk completed
// everything at once.
func (o *observer) writerSleeps() bool {
	const slack = 50 * time.Millisecond
	busy := o.c.x.faults[o.id].stalledUntil()
	return !o.c.x.volatile && o.asked.After(o.took) && time.Now().Add(-slack).After(latest(o.asked, o.slept, busy))
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// published compares the status with the state after the last turn.
func (o *observer) published() error {
	got, _ := o.r.status.get()
	want, s := got, &o.turn
	want.Phase, want.View, want.Primary = phases[s.Phase], uint64(s.Head.View), primaryOf(s)
	want.Op, want.Commit, want.Applied = uint64(max(s.Last.Op, o.applied)), uint64(max(s.Commit, o.applied)), uint64(o.applied)
	want.Snapshot, want.Problem = uint64(s.Snapshot), problemOf(s)
	if !assert.ObjectsAreEqual(want, got) {
		return fmt.Errorf("the status of %s is %+v, and its last turn ended with %+v", o.id, got, want)
	}
	return nil
}

// watch follows the status until the replica has stopped.
func (o *observer) watch() {
	for s := range o.r.Watch(context.Background()) {
		o.c.locked(func() { o.watched = s })
		time.Sleep(time.Millisecond) // meanwhile it changes
	}
}

// rests checks, while nothing happens, that nothing is left to be done. The caller holds the checker's lock.
func (o *observer) rests() error {
	l, m, x := &o.shell.Loop, o.machine, o.c.x
	if err := cmp.Or(o.shell.Rest(), o.published()); err != nil {
		return fmt.Errorf("%s: %w", o.id, err)
	}
	status, _ := o.r.status.get()
	list := o.r.cfg.membership()
	greeter := hello.NewGreeter(o.r.cfg.Group, list.List(), nil)
	greeter.Update(&o.turn)
	switch last := o.c.judge.Disk(o.i).Last.Op; {
	case !assert.ObjectsAreEqual(status, o.watched):
		return fmt.Errorf("%s has the status %+v, and was last seen by Watch with %+v", o.id, status, o.watched)
	case !bytes.Equal(greeter.Hello(), o.r.greeter.Hello()):
		return fmt.Errorf("%s greets with %x, not with %x", o.id, o.r.greeter.Hello(), greeter.Hello())
	case !x.volatile && o.covered < last:
		return fmt.Errorf("S5: the log of %s is idle and ends with op %d, and a mark covers op %d", o.id, last, o.covered)
	case last != o.turn.Last.Op:
		return fmt.Errorf("%s has a log up to op %d, and its disk up to op %d", o.id, o.turn.Last.Op, last)
	case o.turn.Snapshot < o.snapshot:
		return fmt.Errorf("C1: %s has a snapshot of op %d, and its core knows of op %d", o.id, o.snapshot, o.turn.Snapshot)
	case x.every > 0 && m.since >= x.every || m.bytes >= x.bytes:
		return fmt.Errorf("C4: %s has taken no snapshot for %d operations with %d bytes", o.id, m.since, m.bytes)
	case m.frozen != 0:
		return fmt.Errorf("C4: %s has left %d frozen states open", o.id, m.frozen)
	case o.listens && o.turn.Phase == vsr.Backup && o.heard == 0:
		return fmt.Errorf("D1: the detector of %s does not hear the primary", o.id)
	}
	return o.tidy(l.Kept())
}

// tidy checks that there are only the snapshots on the disk that are needed. One that a power cut has brought back goes when
// the next is complete.
func (o *observer) tidy(kept int) error {
	files, err := o.c.x.disks[o.id].ReadDir("data/" + shell.SnapshotDir)
	whole, received, written := snap.Count(files)
	if err == nil && o.fresh && (whole > 1+kept || received > 1 || written > 0) && !o.c.x.faults[o.id].spoiled {
		return fmt.Errorf("11.10: %s keeps %d snapshots for others and has the files %v", o.id, kept, files)
	}
	return nil
}

// leads reports whether the replica, whose Close began then, leads its view with other members and has not voted to leave it,
// although no vote had to wait for the disk and the loop did not hang. The caller holds the checker's lock.
func (o *observer) leads(began time.Time) bool {
	idle := o.saved == o.issued && began.Sub(o.wrote) > 10*time.Millisecond
	return !o.ignored() && idle && time.Since(began) < leaveLimit && o.turn.Phase == vsr.Primary && o.left <= o.turn.Head.View && len(o.c.x.members) > 1
}

func (o *observer) sends(p shell.Packet) {
	o.sees(func(j *judge.Judge) error {
		if _, _, err := wire.DecodeMessage(p.Bytes, wire.TagOf("smr")); err != nil {
			return fmt.Errorf("N3: every receiver refuses it: %w", err)
		}
		if m, ok := p.Message.(*vsr.StartViewChange); ok {
			o.left = max(o.left, m.View+1)
		}
		return j.Sends(o.i, p.Header, p.Message)
	})
}

// InParts reports a message that leaves in parts.
func (o *observer) InParts(p shell.Packet) {
	o.sees(func(j *judge.Judge) error { return j.Sends(o.i, p.Header, p.Message) })
}

// pause suspends the goroutines for d. A second pause may extend the first, and does not shorten it. The caller holds the
// checker's lock.
func (o *observer) pause(d time.Duration) {
	if until := time.Now().Add(d); until.After(o.until) {
		o.until = until
	}
	o.sleeps(d)
}

// sleeps notes that calls may take so much longer. The caller holds the checker's lock.
func (o *observer) sleeps(d time.Duration) {
	if until := time.Now().Add(d); until.After(o.slept) {
		o.slept = until
	}
}

// restoring returns how long a restore takes, in which readers wait.
func (o *observer) restoring() (d time.Duration) {
	o.c.locked(func() {
		if o.rng.IntN(2) == 0 && len(o.slow) > 0 && o.shell != nil {
			d = time.Duration(o.rng.IntN(500)) * time.Millisecond
			o.sleeps(d)
		}
	})
	return d
}

// pace delays a goroutine that was woken. The loop must have been woken by the core's deadline.
func (o *observer) pace(goroutine string) {
	if goroutine == "loop" {
		due := o.shell.Loop.Deadline()
		o.sees(func(*judge.Judge) error {
			if now := time.Now(); !o.ended.IsZero() && now.After(due) && now.After(o.ended) {
				return fmt.Errorf("%s wakes at %v, and its last turn ended at %v with the deadline %v", o.id, now, o.ended, due)
			}
			return nil
		})
	}
	var d time.Duration
	o.c.locked(func() {
		o.mustRun()
		d = o.lag(goroutine)
		if pause := time.Until(o.until); pause > d {
			d = pause
			o.c.x.seen.happened("a process pauses")
		}
	})
	time.Sleep(d)
	if goroutine == "writer" {
		o.c.locked(func() { o.took = time.Now() })
	}
}

// lag returns how long a goroutine is to be delayed. The caller holds the checker's lock.
func (o *observer) lag(goroutine string) time.Duration {
	if most := o.slow[goroutine]; most > 0 {
		return time.Duration(o.rng.Int64N(int64(most)))
	}
	return 0
}

func (o *observer) Ready(out *vsr.Output) {
	o.sees(func(j *judge.Judge) error {
		if out.Save != nil {
			o.issued, o.wrote = out.Save.Seq, time.Now()
			if err := j.Issued(o.i, out.Save); err != nil {
				return err
			}
		}
		if out.Compact != nil {
			c := *out.Compact
			o.compact, o.compacted, o.behind = &c, false, o.issued
		}
		if (out.Save != nil || out.Compact != nil) && !o.asked.After(o.took) {
			o.asked = time.Now()
		}
		known := o.shell.Loop.Core().Commit()
		if back := o.shell.Loop.Core().TakenBack(); back > o.back {
			o.back = back
			known = max(known, min(back, o.turn.Last.Op)) // it may have received the rest in this turn
		}
		return j.Knows(o.i, known)
	})
}

func (o *observer) Saved(saves []*vsr.Save) {
	o.sees(func(j *judge.Judge) error {
		o.covered = j.Disk(o.i).Covered(o.covered, saves)
		o.saved, o.wrote = saves[len(saves)-1].Seq, time.Now()
		return cmp.Or(o.c.x.faults[o.id].survived(), j.Saved(o.i, o.saved))
	})
}

func (o *observer) Marked() {
	o.sees(func(j *judge.Judge) error {
		o.covered = j.Disk(o.i).Last.Op
		return nil
	})
}

// Compacted takes an early compaction on a full disk for the one that was issued if both do the same. Only such a one is
// performed while saves are under way, and may overtake them.
func (o *observer) Compacted(c vsr.Compact, first vsr.OpNumber) {
	o.sees(func(j *judge.Judge) error {
		o.c.x.seen.happened("a log is compacted")
		o.compacted = o.compacted || o.compact != nil && *o.compact == c
		if last := max(c.Snapshot, o.snapshot); first > last+1 {
			return fmt.Errorf("N9: the log of %s begins with op %d, and its snapshot ends with op %d", o.id, first, last)
		}
		if len(o.shell.Writer.InFlight()) == 0 && o.compact != nil && *o.compact == c && o.saved < o.behind {
			return fmt.Errorf("N9: %s has compacted its log after save %d, and not after save %d", o.id, o.saved, o.behind)
		}
		return nil
	})
}

func (o *observer) Loaded(l vsr.Load, entries []vsr.Entry) {
	o.sees(func(j *judge.Judge) error {
		o.c.x.seen.happened("entries are read back")
		return j.Loaded(o.i, l, entries)
	})
}

func (o *observer) Applied(e *vsr.Entry, executed bool, result []byte, s *store.State) {
	o.sees(func(j *judge.Judge) error {
		out := judge.Outcome{Executed: executed, Result: result, Kept: s.Sessions.Kept(), Bytes: s.Sessions.Bytes()}
		if executed {
			out.Digest = o.machine.digest
		}
		return j.Applied(o.i, e, out)
	})
}

func (o *observer) Restored(s *store.State) {
	o.sees(func(j *judge.Judge) error { return j.Restored(o.i, s.Last.Op, o.machine.digest) })
}

func (o *observer) SnapshotWritten(f *shell.Frozen, err error) {
	o.sees(func(j *judge.Judge) error {
		if err == nil {
			o.snapshot, o.fresh = max(o.snapshot, f.Last.Op), true
			o.c.x.seen.happened("a snapshot is written")
		}
		return nil
	})
}

func (o *observer) SnapshotReceived(s vsr.Snapshot) {
	o.sees(func(j *judge.Judge) error {
		o.snapshot, o.fresh = max(o.snapshot, s.Last.Op), true
		o.c.x.seen.happened("a snapshot is received")
		return nil
	})
}

// listener tells the detector of a replica, and the observer.
type listener struct {
	Detector
	o *observer
}

func (l *listener) Heard(now time.Time) {
	l.o.c.locked(func() { l.o.heard++ })
	l.Detector.Heard(now)
}
