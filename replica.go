package smr

import (
	"context"
	crand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
	"github.com/smr-go/smr/internal/wire"
)

// Replica is one member of a group. Its methods may be called concurrently.
//
// A few goroutines share the work, and each owns what it works on: the loop the protocol's core,
// the callers and readers that wait; the writer the log's files; the applier the state machine;
// the fetcher the snapshot that is being received, apart from the log since checking one takes long.
// They tell each other through queues; nobody waits for another but callers.
type Replica struct {
	cfg  Config
	tag  wire.GroupTag
	log  hclog.Logger
	stop chan struct{} // closed: all goroutines end
	done chan struct{} // closed: all have ended
	busy sync.WaitGroup

	failed sync.Once
	err    error // why it stopped; set before stop is closed

	inbox   *inbox
	status  board
	greeter greeter

	// The loop's:
	core    *core
	calls   calls
	readers readers
	spare   sync.Pool // of *call; also the callers'
	roles   roles
	held    map[vsr.SnapshotID]held

	// The writer's:
	writes  *queue[store.Write]
	backlog store.Backlog // taken from it and not done
	wal     *wal.Log      // nil with Volatile
	batch   store.Batch

	// The fetcher's:
	fetches  *queue[vsr.FetchStep]
	receiver store.Receiver

	// The applier's:
	jobs    *queue[job]
	machine machine

	snaps   *snap.Store
	sending atomic.Int32 // chunks being read for others
}

// core is the protocol, with the time of the present turn. Owned by the loop.
type core struct {
	*vsr.Replica
	now       time.Time
	appliedOp vsr.OpNumber
}

// Start starts a replica on what its directory holds. It reads its latest snapshot and its log,
// and does not wait for other replicas: Propose and Read do. The error says what is wrong with
// the configuration, or with the directory: ErrCorrupt, another replica's or group's, or in use.
func Start(cfg Config) (*Replica, error) { return start(cfg, vfs.OS()) }

// start is Start on that disk.
func start(cfg Config, disk vfs.FS) (*Replica, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Replica{cfg: cfg, tag: wire.TagOf(cfg.Group), log: cfg.Logger.With("replica", string(cfg.ID)),
		stop: make(chan struct{}), done: make(chan struct{}),
		inbox: newInbox(), writes: newQueue[store.Write](), fetches: newQueue[vsr.FetchStep](), jobs: newQueue[job](),
		held: map[vsr.SnapshotID]held{}}
	r.spare.New = func() any { return &call{outcome: make(chan outcome, 1)} }
	r.status.init(cfg.ID, cfg.Members)
	if err := r.open(disk); err != nil {
		r.closeStorage()
		return nil, err
	}
	r.publish()
	if err := r.openTransport(); err != nil {
		r.closeStorage()
		return nil, err
	}
	for _, f := range []func(){r.loop, r.applier, r.writer, r.fetcher} {
		r.background(f)
	}
	go r.finish()
	return r, nil
}

// open opens the storage and takes the state and the core from it.
func (r *Replica) open(disk vfs.FS) error {
	dir := r.cfg.Dir
	if r.cfg.Volatile {
		disk, dir = vfs.NewMem(), "volatile"
	}
	if err := disk.MkdirAll(dir); err != nil {
		return fmt.Errorf("smr: Config.Dir cannot be made: %w", err)
	}
	var err error
	if !r.cfg.Volatile {
		identity := r.cfg.Group + "/" + string(r.cfg.ID)
		if r.wal, err = wal.Open(disk, path.Join(dir, "log"), wal.Options{Identity: identity, SegmentSize: r.cfg.segmentSize()}); err != nil {
			return storageError(err)
		}
	}
	if r.snaps, err = snap.Open(disk, path.Join(dir, "snapshots"), snap.Options{Identity: r.cfg.Group}); err != nil {
		return storageError(err)
	}
	for _, err := range r.snaps.Damaged() {
		r.log.Error("a snapshot is damaged and is not used", "error", err)
	}
	return r.reopen()
}

// reopen restores the latest snapshot and gives the core what the disk holds.
func (r *Replica) reopen() error {
	m := &r.machine
	m.user = r.cfg.StateMachine
	m.snapshotEvery, m.snapshotBytes = r.cfg.SnapshotEvery, r.cfg.SnapshotBytes
	var latest *vsr.Snapshot
	if info, ok := r.snaps.Latest(); ok {
		s, err := m.restore(r.snaps, info.ID)
		if err != nil {
			return err
		}
		m.take(s)
		d := store.Describe(info, s.Members)
		latest = &d
	}
	durable, err := r.recover(latest, m.state.Clock)
	if err != nil {
		return err
	}
	if err := r.checkList(&durable); err != nil {
		return err
	}
	now := time.Now()
	r.core = &core{Replica: vsr.New(r.coreConfig(), durable, now), now: now, appliedOp: m.state.Last.Op}
	r.calls = calls{core: r.core, waiting: map[uint64]*call{}}
	r.readers = readers{core: r.core, confirmed: map[uint64]*waiter{}}
	head := r.core.Header()
	m.self, m.start = vsr.Member{ID: string(r.cfg.ID), Incarnation: head.Incarnation}, head.Start
	list := r.cfg.membership()
	r.greeter.own = greeting{name: r.cfg.Group, list: list.List()}
	r.greeter.differs = func(from ID, list string) {
		r.inbox.do(func() { r.core.Step(r.core.now, &vsr.Misconfigured{From: string(from), List: list}) })
	}
	r.greeter.starts = map[vsr.Incarnation]uint64{}
	return nil
}

// checkList refuses a configuration whose members are not those of the group that the disk holds.
func (r *Replica) checkList(d *vsr.Durable) error {
	held, own := vsr.Membership{}, r.cfg.membership()
	switch {
	case d.Snapshot != nil:
		held = d.Snapshot.Members
	case d.First != nil:
		m, err := vsr.DecodeMembership(d.First.Body)
		if err != nil {
			return fmt.Errorf("%w: op 1: %w", ErrCorrupt, err)
		}
		held = m
	default:
		return nil
	}
	if held.List() != own.List() {
		return fmt.Errorf("smr: %s holds a group of %s, Config.Members is %s; give the same members in the same order (their addresses may change)", r.cfg.Dir, held.List(), own.List())
	}
	return nil
}

func (r *Replica) coreConfig() vsr.Config {
	var seed [32]byte
	crand.Read(seed[:])
	return vsr.Config{
		Self: r.cfg.index(r.cfg.ID), Members: r.cfg.membership(), Detector: r.cfg.Detector,
		Heartbeat: r.cfg.Heartbeat, IdleHeartbeat: r.cfg.idleHeartbeat(), Abdication: r.cfg.Abdication, DiskLimit: r.cfg.DiskLimit,
		Window: r.cfg.Window, Tail: r.cfg.Window, KeepLog: r.cfg.KeepLog,
		Volatile: r.cfg.Volatile, Rand: rand.New(rand.NewChaCha8(seed)),
	}
}

func (r *Replica) openTransport() error {
	if r.cfg.Transport == nil {
		return nil
	}
	err := r.cfg.Transport.Open(Endpoint{
		ID: r.cfg.ID, Addr: r.cfg.addr, MaxMessage: r.cfg.maxMessage(),
		Hello: r.greeter.hello, Check: r.greeter.check, Receive: r.receive, Logger: r.log,
	})
	if err != nil {
		return fmt.Errorf("smr: opening the transport: %w", err)
	}
	return nil
}

// background runs f in a goroutine that Close waits for.
func (r *Replica) background(f func()) { r.busy.Go(f) }

// fail stops the replica because of err. The first reason counts.
func (r *Replica) fail(err error) {
	r.failed.Do(func() {
		r.err = err
		if !errors.Is(err, ErrClosed) {
			r.log.Error("the replica stops", "error", err)
		}
		close(r.stop)
	})
}

// whyClosed is an ErrClosed that wraps what stopped the replica, which has stopped.
func (r *Replica) whyClosed() error {
	if errors.Is(r.err, ErrClosed) {
		return r.err
	}
	return fmt.Errorf("%w: %w", ErrClosed, r.err)
}

func (r *Replica) stopping() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

// finish waits for the end of all goroutines and lets go of what they used.
func (r *Replica) finish() {
	<-r.stop
	if r.cfg.Transport != nil {
		r.cfg.Transport.Close()
	}
	r.busy.Wait()
	for _, h := range r.held {
		h.release()
	}
	r.closeStorage()
	r.status.stop(r.err)
	close(r.done)
}

func (r *Replica) closeStorage() {
	if r.wal != nil {
		r.wal.Close()
	}
}

// Done is closed when the replica has stopped, by Close or because of an error, and all its
// goroutines have ended.
func (r *Replica) Done() <-chan struct{} { return r.done }

// Err says why the replica stopped: nil while it runs, ErrClosed after Close.
func (r *Replica) Err() error {
	select {
	case <-r.done:
		return r.err
	default:
		return nil
	}
}

// Close stops the replica and returns when all its goroutines have ended. A primary tells the
// others that it leaves, so that the next one takes over at once. Callers of Propose get
// ErrUnknown, or ErrNotApplied where that is certain. Calling it again does nothing. The error is
// what had stopped the replica before, if anything had.
func (r *Replica) Close() error {
	r.inbox.do(func() {
		r.core.Step(r.core.now, &vsr.Leave{})
		r.turn()
		r.fail(ErrClosed)
	})
	<-r.done
	if errors.Is(r.err, ErrClosed) {
		return nil
	}
	return r.err
}

// Handover gives the primary's role to the member, or with "" to the one that can take it
// soonest, and returns when another replica is primary. New operations wait while that one gets
// the last of the log, and then go to it. If it does not get it within Config.Abdication, because
// its disk is full or slow, this replica goes on as primary, and an error says so; while it is absent
// this replica serves on, and Handover waits for it as long as ctx allows. If this replica is not
// primary, or the only member, there is nothing to do for "", and for another an error says who is.
func (r *Replica) Handover(ctx context.Context, to ID) error {
	i := vsr.Index(-1)
	if to != "" {
		if i = r.cfg.index(to); i < 0 {
			return fmt.Errorf("smr: handover to %q, which is not a member", to)
		}
	}
	result := make(chan error, 1)
	if !r.inbox.do(func() { r.roles.handover(r, to, i, result) }) {
		return ErrClosed
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		r.inbox.do(func() { r.roles.cancel(r, result) })
		return fmt.Errorf("smr: handover to %q: %w before it could take over", to, ctx.Err())
	case <-r.stop:
		return ErrClosed
	}
}
