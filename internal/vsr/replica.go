package vsr

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Detector decides how long a silent primary is trusted (D1). See smr.Detector.
type Detector interface {
	Reset(now time.Time)
	Heard(now time.Time)
	Deadline() time.Time
}

// Config configures a replica. Every field is required unless its comment gives zero a meaning.
type Config struct {
	Self      Index
	Members   Membership // as configured: without incarnations
	Detector  Detector
	Heartbeat time.Duration
	// IdleHeartbeat is the limit to which Heartbeat grows while the group is idle. If it is not
	// above Heartbeat, the interval does not grow.
	IdleHeartbeat time.Duration
	Abdication    time.Duration
	DiskLimit     time.Duration // 0: no limit
	Window        int64         // limit in bytes of the entries above the commit number (N1), of waiting proposals, and of durable entries in memory that are not applied
	Tail          int64         // limit in bytes of applied entries in memory; 0 with Volatile
	KeepLog       int64         // limit in bytes of the log below the snapshot that is kept for slow replicas (N9)
	Volatile      bool          // there is no disk to load entries from
	Rand          *rand.Rand    // for group ids, incarnations, nonces; never for order
}

// Durable is the state that a replica finds on its disk. The zero value is an empty disk.
type Durable struct {
	Head     Head
	Base     Viewstamp   // the log holds Base.Op+1 .. Last.Op
	Last     Viewstamp   // the last entry of the log; Base if the log is empty
	Runs     []Viewstamp // first entry of each stretch of one view
	First    *Entry      // op 1, if it is in the log
	Entries  []Entry     // the newest entries of the log; they include the last one unless the snapshot does
	Snapshot *Snapshot   // the latest snapshot, which the state machine has restored; nil if there is none
	Time     int64       // Time of the last operation in Snapshot
}

// status is the state of the protocol that a replica is in (section 2).
type status uint8

const (
	recovering status = iota // belongs to no group: the group is not formed yet, or the memory is lost
	normal
	changingView
)

// Outgoing is a message with its receivers. It is encoded once and sent to each.
type Outgoing struct {
	To      []Index
	Message Message
}

// Output is the work of a turn that the shell must perform. Its slices are valid until the next
// Ready.
type Output struct {
	Save     *Save
	Messages []Outgoing
	Restore  *Snapshot // replace the state by this snapshot before Apply
	Apply    []Entry   // committed entries, in order; the shell answers with Applied
	Loads    []Load
	Settled  []Settled
	Reads    []ReadReady
	Compact  *Compact
	Chunks   []ChunkWanted
	Fetch    []FetchStep
	Retake   bool  // take a snapshot even if none is due: the latest cannot be read (F9)
	Err      error // the replica must stop
}

// Load requests entries that are no longer in memory. The shell answers with Loaded.
type Load struct {
	For      Index     // the member that needs them; this replica itself to apply them
	From, To OpNumber  // inclusive
	Best     Viewstamp // set if the entries answer a GetState in view View
	View     View
}

// Compact requests that the log be cut up to Keep, and further, but not above Snapshot, while the
// part below Snapshot is larger than Config.KeepLog. The shell answers with Compacted.
type Compact struct {
	Keep     OpNumber
	Snapshot OpNumber
}

// Replica is the state of the protocol at one member. One goroutine owns it: it reports events with
// Step, and after any number of them calls Ready once and performs the Output. Between two calls of
// Ready nothing needs to be done.
//
//	applied <= delivered <= commit <= log.last.Op  (11.1)
//	log.base.Op <= snapshot.Last.Op <= delivered
//	log.last is of head's epoch and view, or earlier  (11.4)
type Replica struct {
	cfg     Config
	self    Index
	n       int        // number of members
	members Membership // of the epoch; as configured before formation
	all     []Index    // every member
	others  []Index    // every member but self
	now     time.Time  // of the latest event; it never falls

	head   Head // as of the latest save issued, or of the one that this turn will issue
	status status
	log    log
	saves  saves

	commit    OpNumber
	delivered OpNumber // last op handed to the shell to be applied
	applied   OpNumber // last op that the state machine has applied
	checked   OpNumber // last op that agrees with the log of this view's primary (N3); checked <= log.last.Op
	ackDue    bool     // this turn ends with a PrepareOK

	snapshot      Snapshot  // the latest; the zero value if there is none
	damaged       bool      // snapshot can no longer be read (F9)
	retakeAt      time.Time // when another is requested; zero unless damaged
	keepAbove     OpNumber  // a slow replica needs the entries above, according to the primary (N9)
	compactTarget OpNumber  // keepAbove or the snapshot's op, whichever was lower at the latest compaction
	compactDue    bool      // there is a new snapshot

	heardAt   []time.Time // by member: when a message of it last came; zero if none has
	startSeen []uint64    // by member: highest start number of its incarnation (S6)
	lastTick  time.Time   // lastTick <= now

	applying   applying
	primary    primary // valid while isPrimary
	viewChange viewChange
	forming    forming
	requests   requests
	reads      reads
	transfer   transfer

	full    bool       // the disk has no space (F13)
	problem string     // description for an operator; "" if all is well
	out     Output     // of this turn, so far
	spare   []Outgoing // memory of the previous turn's messages, for those of the next turn
}

// New returns a replica that continues from the state on its disk. Its first Ready returns a save;
// all messages wait for that save.
func New(cfg Config, d Durable, now time.Time) *Replica {
	n := len(cfg.Members.Members)
	r := &Replica{cfg: cfg, self: cfg.Self, n: n, members: cfg.Members, now: now, lastTick: now,
		head: d.Head, heardAt: make([]time.Time, n), startSeen: make([]uint64, n)}
	for i := range Index(n) {
		r.all = append(r.all, i)
		if i != r.self {
			r.others = append(r.others, i)
		}
	}
	r.viewChange.votes = make([]time.Time, n)
	r.forming.strangers = make([]bool, n)
	r.requests.handled, r.requests.startView = make([]attemptID, n), d.Head.View
	r.primary.progress = make([]progress, n)
	cfg.Detector.Reset(now)
	if d.Head.Incarnation == (Incarnation{}) {
		r.head.Incarnation = Incarnation(r.random16())
	}
	r.head.Start++
	r.saveHead()
	if r.head.Group == (GroupID{}) {
		r.startForming()
		return r
	}
	r.reopen(d)
	return r
}

// reopen restores the log and the snapshot from the disk (S5, N8).
func (r *Replica) reopen(d Durable) {
	l := &r.log
	l.reopen(d)
	r.saves.durable = l.last.Op
	if d.Snapshot != nil {
		r.snapshot = *d.Snapshot
		r.setMembers(d.Snapshot.Members)
		r.commit = d.Snapshot.Last.Op
		// C3: after a crash between the snapshot and the log, install the snapshot again and enter
		// its view.
		r.installLog(d.Snapshot.Last)
		r.head.View = max(r.head.View, d.Snapshot.Last.View)
	}
	r.delivered, r.applied = r.commit, r.commit
	r.commit = max(r.commit, min(d.Head.Commit, l.last.Op))
	if d.First != nil {
		if m, err := DecodeMembership(d.First.Body); err == nil {
			r.setMembers(m)
		}
	}
	r.status = changingView
	r.resumeView()
}

// setMembers puts the list from the log in force (S2).
func (r *Replica) setMembers(m Membership) {
	if len(m.Members) == r.n {
		r.members = m
	}
}

// advance moves the replica's clock. Times never fall.
func (r *Replica) advance(now time.Time) {
	if now.Before(r.now) {
		now = r.now
	}
	r.now = now
}

// tick performs the actions whose time has come. A long gap since the previous tick means that the
// process did not run, so that the silence of others proves nothing (D4).
func (r *Replica) tick() {
	if r.now.Sub(r.lastTick) > r.pauseLimit() {
		r.paused()
	}
	r.lastTick = r.now
	switch {
	case r.status == recovering:
		r.tickForming()
	case r.isPrimary():
		r.tickPrimary()
	}
	if r.status != recovering {
		r.tickChange()
	}
	r.tickRequests()
	r.tickReads()
	r.tickTransfer()
}

// pauseLimit is the gap between two ticks above which the process is assumed to have been paused.
func (r *Replica) pauseLimit() time.Duration { return 10 * r.cfg.Heartbeat }

// paused restarts the timeouts of all other members, because this replica was not running to
// receive their messages (D4).
func (r *Replica) paused() {
	r.cfg.Detector.Reset(r.now)
	for i := range r.heardAt {
		if !r.heardAt[i].IsZero() {
			r.heardAt[i] = r.now
		}
		r.primary.progress[i].answeredAt = r.now
	}
}

// Deadline returns when a Tick is due at the latest.
func (r *Replica) Deadline() time.Time {
	at := r.lastTick.Add(r.pauseLimit() / 2) // often enough that only a pause exceeds the limit
	at = earlier(at, r.forming.questionAt)
	at = earlier(at, r.primaryDeadline())
	at = earlier(at, r.changeDeadline())
	at = earlier(at, r.requests.retryAt)
	at = earlier(at, r.reads.retryAt)
	at = earlier(at, r.transfer.retryAt)
	return earlier(at, r.retakeAt)
}

// earlier returns the earlier of two times. A zero t means none.
func earlier(at, t time.Time) time.Time {
	if t.Before(at) && !t.IsZero() {
		return t
	}
	return at
}

// receive accepts a message from a member.
func (r *Replica) receive(from Index, h Header, m Message) {
	if from < 0 || int(from) >= r.n || from == r.self || !r.admit(from, h, m) {
		return
	}
	r.heardAt[from] = r.now
	switch m := m.(type) {
	case *Prepare:
		r.onPrepare(from, h, m)
	case *PrepareOK:
		r.onPrepareOK(from, m)
	case *Gap:
		r.onGap(from, m)
	case *Commit:
		r.onCommit(from, m)
	case *CommitOK:
		r.onCommitOK(from, m)
	case *StartViewChange:
		r.onStartViewChange(from, m)
	case *DoViewChange:
		r.onDoViewChange(from, m)
	case *GetState:
		r.onGetState(from, m)
	case *NewState:
		r.onNewState(from, h, m)
	case *Question:
		r.onQuestion(from, h, m)
	case *Answer:
		r.onAnswer(from, h, m)
	case *Outdated:
		r.onOutdated(m)
	case *Request:
		r.onRequest(from, h, m)
	case *Reply:
		r.onReply(m)
	case *ReadRound:
		r.onReadRound(from, h, m)
	case *ReadRoundOK:
		r.onReadRoundOK(m)
	case *SnapshotOffer:
		r.onSnapshotOffer(from, m)
	case *GetChunk:
		r.onGetChunk(from, m)
	case *SnapshotChunk:
		r.onSnapshotChunk(from, m)
	}
}

// admit reports whether a message belongs to this replica's group and epoch, and comes from the
// sender's incarnation in the member list (S4) and its latest start (S6).
func (r *Replica) admit(from Index, h Header, m Message) bool {
	switch m.(type) {
	case *Question, *Answer:
		return true
	case *Prepare, *NewState:
		if r.head.Group == (GroupID{}) {
			return h.Group != (GroupID{})
		}
	}
	if h.Group != r.head.Group || h.Epoch != r.head.Epoch || r.head.Group == (GroupID{}) ||
		h.Incarnation != r.members.Members[from].Incarnation {
		return false
	}
	if h.Start < r.startSeen[from] {
		r.sendTo(from, &Outdated{Start: r.startSeen[from]}) // S6
		return false
	}
	r.startSeen[from] = h.Start
	return true
}

// onOutdated stops a replica whose directory is an older copy of itself (S6).
func (r *Replica) onOutdated(m *Outdated) {
	if m.Start > r.head.Start && r.out.Err == nil {
		r.out.Err = &OutdatedError{Own: r.head.Start, Known: m.Start}
	}
}

// OutdatedError reports that another member knows a higher start number of this incarnation than
// its directory has.
type OutdatedError struct{ Own, Known uint64 }

func (e *OutdatedError) Error() string {
	return fmt.Sprintf("this directory has start number %d, but another member has seen %d: the directory is an older copy, or in use by another process; entries that it acknowledged may be missing", e.Own, e.Known)
}

// Header returns the header of every message that this replica sends.
func (r *Replica) Header() Header {
	return Header{Group: r.head.Group, Epoch: r.head.Epoch, Incarnation: r.head.Incarnation, Start: r.head.Start}
}

// Ready ends a turn and returns the work that it calls for. Changes of the turn share one save, and
// new entries one Prepare.
func (r *Replica) Ready(now time.Time) Output {
	r.advance(now)
	r.flushRequests()
	if r.isPrimary() {
		r.flushPrimary()
	}
	if r.ackDue {
		r.ackDue = false
		r.sendTo(r.prim(), &PrepareOK{View: r.head.View, Op: r.checked})
	}
	r.flushReads()
	r.flushTransfer()
	r.flushDamaged()
	r.deliverCommitted()
	r.compact()
	r.out.Save = r.issue()
	out := r.out
	clear(r.spare[:cap(r.spare)])
	r.out = Output{Messages: r.spare}
	r.spare = reused(out.Messages)
	return out
}

// maxSpare limits the memory, in messages, that is kept between turns.
const maxSpare = 64

// reused returns the memory of a turn's messages for the turn after the next, unless it is too
// large.
func reused(messages []Outgoing) []Outgoing {
	if cap(messages) > maxSpare {
		return nil
	}
	return messages[:0]
}

// prim returns the primary of the current view.
func (r *Replica) prim() Index { return r.members.prim(r.head.View) }

// isPrimary reports whether this replica leads the current view.
func (r *Replica) isPrimary() bool { return r.status == normal && r.prim() == r.self }

// confirmed reports whether this replica knows that all members have confirmed the group (S2).
func (r *Replica) confirmed() bool { return r.commit >= 1 || r.log.last.Op > 1 }

func (r *Replica) random16() (b [16]byte) {
	for i := range 2 {
		x := r.cfg.Rand.Uint64()
		for j := range 8 {
			b[8*i+j] = byte(x >> (8 * j))
		}
	}
	return b
}
