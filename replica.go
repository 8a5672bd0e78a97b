package smr

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/smr-go/smr/internal/hello"
	"github.com/smr-go/smr/internal/logqueue"
	"github.com/smr-go/smr/internal/queue"
	"github.com/smr-go/smr/internal/ratelog"
	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// Replica is one member of a group. Its methods may be called concurrently.
type Replica struct {
	cfg  Config
	log  *logqueue.Logger
	stop chan struct{} // closed: all goroutines end
	done chan struct{} // closed: all have ended
	busy busy

	failed sync.Once
	err    error // why it stopped; set before stop is closed

	// The shell decides what happens in which order. Each of its parts is run by the goroutine of the same name,
	// which takes the part's work from a queue.
	shell   *shell.Shell
	inbox   *queue.Queue[shell.Input]   // of the loop
	writes  *queue.Queue[shell.Write]   // of the writer
	jobs    *queue.Queue[shell.Job]     // of the applier
	fetches *queue.Queue[vsr.FetchStep] // of the fetcher

	state     state
	status    board
	greeter   *hello.Greeter
	last      vsr.State // of the turn before; the loop's
	trouble   trouble
	notes     ratelog.Warnings // of the shell, from Warn up
	callbacks callbacks
	probe     probe // nil but in tests

	spare        sync.Pool // of *call
	spareWaiters sync.Pool // of *waiter
}

// Start starts a replica from the snapshot and the log in its directory, or a new one if the directory
// is empty. It does not wait for other replicas; Propose and Read do. It returns an error if the
// configuration is invalid, which names all invalid fields; if Config.Transport cannot be opened; if
// another running replica uses the StateMachine or the Detector; or if the directory is damaged
// (ErrCorrupt), in use, or belongs to another replica or group.
func Start(cfg Config) (*Replica, error) { return start(cfg, vfs.OS(), nil) }

// start is Start on that disk, with a probe or nil.
func start(cfg Config, disk vfs.FS, p probe) (*Replica, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Replica{cfg: cfg, log: logqueue.New(cfg.Logger.With("replica", string(cfg.ID))),
		stop: make(chan struct{}), done: make(chan struct{}),
		inbox: queue.New[shell.Input](), writes: queue.New[shell.Write](),
		jobs: queue.New[shell.Job](), fetches: queue.New[vsr.FetchStep](),
		probe: p}
	r.notes.Log = r.log
	r.spare.New, r.spareWaiters.New = newCall, newWaiter
	r.status.init(cfg.ID, cfg.Members)
	started := false
	defer func() { // also if the user's code ends the goroutine
		if !started {
			r.log.Stop()
			r.disown()
		}
	}()
	if err := r.own(); err != nil {
		return nil, err
	}
	if err := r.open(disk); err != nil {
		return nil, publicError(err)
	}
	if err := r.openTransport(); err != nil {
		r.shell.Close()
		return nil, err
	}
	started = true
	r.busy.run(theLoop, r.loop)
	r.busy.run(theApplier, r.applier)
	r.busy.run(theDisk, r.writer)
	r.busy.run(theDisk, r.fetcher)
	go r.finish()
	return r, nil
}

// open opens the directory and makes the core from its contents.
func (r *Replica) open(disk vfs.FS) (err error) {
	var d vsr.Durable
	if r.shell, d, err = shell.Open(r.shellConfig(disk), time.Now()); err != nil {
		return err
	}
	if r.probe != nil {
		r.probe.opened(r.shell, &d)
	}
	r.state.applied.Store(uint64(r.shell.Applier.Op()))
	list := r.cfg.membership()
	r.greeter = hello.NewGreeter(r.cfg.Group, list.List(), func(from, list, reason string) {
		r.inbox.Add(shell.Input{Event: &vsr.Refused{From: from, List: list, Reason: reason}})
	})
	state := r.shell.Loop.Core().State()
	r.turned(&state)
	return nil
}

// shellConfig returns the configuration of the shell, whose directory is on disk unless the replica is volatile.
func (r *Replica) shellConfig(disk vfs.FS) shell.Config {
	dir := r.cfg.Dir
	if r.cfg.Volatile {
		disk, dir = vfs.NewMem(), "volatile"
	}
	c := shell.Config{
		Core: r.coreConfig(), Group: r.cfg.Group, FS: disk, Dir: dir, SegmentSize: r.cfg.segmentSize(),
		SnapshotEvery: r.cfg.SnapshotEvery, SnapshotBytes: r.cfg.SnapshotBytes,
		User: user{r.cfg.StateMachine}, Driver: driver{r}, Recorder: coreRecorder(),
	}
	if r.probe != nil {
		c.Observer = r.probe
		r.probe.configure(&c)
	}
	return c
}

func (r *Replica) coreConfig() vsr.Config {
	var seed [32]byte
	crand.Read(seed[:])
	return vsr.Config{
		Self: r.cfg.index(r.cfg.ID), Members: r.cfg.membership(), Detector: r.cfg.Detector,
		Heartbeat: r.cfg.Heartbeat, Abdication: r.cfg.Abdication, DiskLimit: r.cfg.DiskLimit,
		Window: r.cfg.Window, Tail: r.cfg.Window, KeepLog: r.cfg.KeepLog,
		Volatile: r.cfg.Volatile, Rand: rand.New(rand.NewChaCha8(seed)),
	}
}

func (r *Replica) openTransport() error {
	if r.cfg.Transport == nil {
		return nil
	}
	err := r.cfg.Transport.Open(Endpoint{
		ID: r.cfg.ID, Addr: r.cfg.addr, MaxMessage: wire.MaxMessage,
		Hello: r.greeter.Hello, Receive: r.receive, Logger: r.log,
		Check: func(from ID, greeting []byte) error { return r.greeter.Check(string(from), greeting) },
	})
	if err != nil {
		return fmt.Errorf("smr: opening the transport: %w", err)
	}
	return nil
}

// fail stops the replica because of err. The first reason counts.
func (r *Replica) fail(err error) {
	r.failed.Do(func() {
		r.err = publicError(err)
		if !errors.Is(err, ErrClosed) {
			r.log.Error("the replica stops", errorArgs(r.err)...)
		}
		close(r.stop)
	})
}

// publicError returns the error that users see: damage that a lower layer found is an ErrCorrupt.
func publicError(err error) error {
	switch {
	case errors.Is(err, ErrClosed):
		return err
	case store.IsCorrupt(err):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case errors.Is(err, vfs.ErrLocked):
		return fmt.Errorf("smr: Config.Dir is in use: %w; stop that one first, or name another directory", err)
	}
	return fmt.Errorf("smr: %w", err)
}

// whyClosed is an ErrClosed that wraps what stopped the replica, which has stopped.
func (r *Replica) whyClosed() error {
	if errors.Is(r.err, ErrClosed) {
		return r.err
	}
	return shell.Because(ErrClosed, r.err)
}

func (r *Replica) stopping() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

// finish waits until all goroutines have ended, and releases their resources.
func (r *Replica) finish() {
	<-r.stop
	if r.cfg.Transport != nil {
		r.busy.do(theTransport, func() { r.cfg.Transport.Close() })
	}
	r.busy.Wait()
	r.busy.do(theDisk, r.shell.Close)
	r.log.Stop()
	r.disown()
	r.status.stop(r.err)
	close(r.done)
}

// Done returns a channel that is closed when the replica has stopped, because of Close or an error, and
// all its goroutines have ended.
func (r *Replica) Done() <-chan struct{} { return r.done }

// Err returns the reason why the replica has stopped, which is ErrClosed after Close. It returns nil
// until Done is closed.
func (r *Replica) Err() error {
	select {
	case <-r.done:
		return r.err
	default:
		return nil
	}
}

// How long Close waits.
const (
	leaveLimit = time.Second     // for the loop to announce that a primary leaves
	closeLimit = 9 * time.Second // after that, for the end of all goroutines
)

// Close stops the replica and returns when all its goroutines have ended. If the replica is the
// primary, it first announces that it leaves, so that the next primary takes over at once. Calls of
// Propose that are waiting return ErrNotApplied if that is certain, and ErrUnknown otherwise. Close may
// be called more than once. If an error had already stopped the replica, Close returns that error.
//
// Close does not wait for functions given to Read, and waits no longer than 10 seconds for the
// StateMachine, the Transport or the disk. If one of them hangs for longer, Close returns an error that
// names it; the replica no longer serves, and the channel of Done is closed when the call has returned.
func (r *Replica) Close() error {
	if r.callbacks.runs() {
		return fmt.Errorf("smr: Close was %w", errCallback)
	}
	r.do(func(l *shell.Loop) {
		l.Leave()
		r.fail(ErrClosed)
	})
	if !within(leaveLimit, r.stop) {
		r.fail(ErrClosed) // the loop hangs
	}
	if !within(closeLimit, r.done) {
		return fmt.Errorf("smr: closed, but %s", r.remains())
	}
	if errors.Is(r.err, ErrClosed) {
		return nil
	}
	return r.err
}

// within reports whether c is closed within d.
func within(d time.Duration, c <-chan struct{}) bool {
	limit := time.NewTimer(d)
	defer limit.Stop()
	select {
	case <-c:
		return true
	case <-limit.C:
		return false
	}
}

// Handover passes the primary's role to a member, and returns when another replica is primary. If to is
// "", the role goes to the member that can take it soonest. New operations wait until that member has
// the rest of the log, and then go to it. If the member does not store the rest of the log within
// Config.Abdication, for example because its disk is full or slow, this replica remains primary and
// Handover returns an error. While the member is absent, this replica continues to serve, and Handover
// waits until ctx ends. If this replica is not the primary, or has no other members, there is nothing to
// hand over: Handover returns nil if to is "" or the present primary, and otherwise an error that names
// the primary.
func (r *Replica) Handover(ctx context.Context, to ID) error {
	i := vsr.Index(-1)
	if to != "" {
		if i = r.cfg.index(to); i < 0 {
			return fmt.Errorf("smr: handover to %q, which is not a member", to)
		}
	}
	result := make(chan error, 1)
	h := &shell.Handover{To: i, Done: func(err error) { result <- err }}
	if !r.do(func(l *shell.Loop) { l.Handover(h) }) {
		return ErrClosed
	}
	late := r.callbacks.late(ctx)
	defer r.callbacks.ended(late)
	for {
		select {
		case err := <-result:
			return err
		case <-ctx.Done():
			r.do(func(l *shell.Loop) { l.CancelHandover(h) })
			return fmt.Errorf("smr: handover to %q: %w before it could take over", to, ctx.Err())
		case <-late.C:
			if r.callbacks.runs() {
				r.do(func(l *shell.Loop) { l.CancelHandover(h) })
				return fmt.Errorf("smr: handover to %q: Handover was %w", to, errCallback)
			}
		case <-r.stop:
			return ErrClosed
		}
	}
}
