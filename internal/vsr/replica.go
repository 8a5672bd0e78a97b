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

// Config is what a replica is told at its start. All fields are required but where zero is said
// to mean something.
type Config struct {
	Self      Index
	Members   Membership // as configured: without incarnations
	Detector  Detector
	Heartbeat time.Duration
	// IdleHeartbeat is what Heartbeat grows to while nothing happens; 0, or below it: it stays.
	IdleHeartbeat time.Duration
	Abdication    time.Duration
	DiskLimit     time.Duration // 0: none
	Window        int64         // bytes above the commit number (N1), of waiting proposals, and of log in memory that is durable and not applied
	Tail          int64         // bytes of durable, applied log in memory; 0 with Volatile
	KeepLog       int64         // bytes of log below the snapshot kept for slow replicas (N9)
	Volatile      bool          // there is no disk to load entries from
	Rand          *rand.Rand    // for group ids, incarnations, nonces; never for order
}

// Durable is what a replica finds on its disk. The zero value is a disk that holds nothing.
type Durable struct {
	Head     Head
	Base     Viewstamp   // the log holds Base.Op+1 .. Last.Op
	Last     Viewstamp   // Base if the log is empty
	Runs     []Viewstamp // first entry of each stretch of one view
	First    *Entry      // op 1, if the log holds it
	Entries  []Entry     // the newest of the log: the last one, unless the snapshot has it too, and any before
	Snapshot *Snapshot   // the latest, restored already; nil if none
	Time     int64       // Time of the last operation in it
}

// status is what a replica does (section 2). Retired comes with epochs.
type status uint8

const (
	recovering status = iota // holds no group: forming, or its memory is lost
	normal
	changingView
)

// Outgoing is a message with whom it is for: encoded once, sent to each.
type Outgoing struct {
	To      []Index
	Message Message
}

// Output is what the shell has to do after a turn. Its slices are valid until the next Ready.
type Output struct {
	Save     *Save
	Messages []Outgoing
	Restore  *Snapshot // replace the state by this snapshot, before Apply
	Apply    []Entry   // committed, in order; to be applied, then reported with Applied
	Loads    []Load
	Settled  []Settled
	Reads    []ReadReady
	Compact  *Compact
	Chunks   []ChunkWanted
	Fetch    []FetchStep
	Retake   bool  // take a snapshot, due or not: the latest cannot be read (F9)
	Err      error // the replica must stop
}

// Load asks the shell for entries that are no longer in memory, to be answered with Loaded.
type Load struct {
	For      Index     // whom they are for; the replica itself to apply them
	From, To OpNumber  // inclusive
	Best     Viewstamp // set if they are to answer GetState in view View
	View     View
}

// Compact asks for the log to be dropped up to Keep, and further, to at most Snapshot, while what
// is kept below Snapshot is larger than Config.KeepLog. The result goes to Compacted.
type Compact struct {
	Keep     OpNumber
	Snapshot OpNumber
}

// Replica is the state of the protocol at one member. One goroutine owns it: it tells the replica
// events with Step, and after any number of them calls Ready once and performs its Output. Between
// two calls of Ready nothing needs to be done.
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
	primary    primary // what it holds counts only while isPrimary
	viewChange viewChange
	forming    forming
	requests   requests
	reads      reads
	transfer   transfer

	full    bool       // the disk has no space (F13)
	problem string     // what a person should know; "" if nothing
	out     Output     // of this turn, so far
	spare   []Outgoing // memory of the previous turn's messages, for those of the next turn
}

// New returns the replica that goes on from what its disk holds. Its first Ready has a save,
// which everything it says waits for.
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

// reopen takes up the log and the snapshot that the disk held (S5, N8).
func (r *Replica) reopen(d Durable) {
	l := &r.log
	l.reopen(d)
	r.saves.durable = l.last.Op
	if d.Snapshot != nil {
		r.snapshot = *d.Snapshot
		r.setMembers(d.Snapshot.Members)
		r.commit = d.Snapshot.Last.Op
		// C3, crashed between the snapshot and the log: done again, and its view entered.
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

// setMembers makes the list that the log holds the one in force (S2).
func (r *Replica) setMembers(m Membership) {
	if len(m.Members) == r.n {
		r.members = m
	}
}

// advance moves the replica's clock. Times never fall; a gap means that the process did not run,
// so that silence says nothing about others (D4).
func (r *Replica) advance(now time.Time) {
	if now.Before(r.now) {
		now = r.now
	}
	r.now = now
}

// tick does what has come due.
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

// pauseLimit is the gap between two ticks from which on the process is taken to have been paused.
func (r *Replica) pauseLimit() time.Duration { return 10 * r.cfg.Heartbeat }

// paused forgets how long others were silent: this replica was not there to hear them (D4).
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
	at := r.lastTick.Add(r.pauseLimit() / 2) // so that a pause is noticed, and nothing else taken for one
	at = earlier(at, r.forming.questionAt)
	at = earlier(at, r.primaryDeadline())
	at = earlier(at, r.changeDeadline())
	at = earlier(at, r.requests.retryAt)
	at = earlier(at, r.reads.retryAt)
	at = earlier(at, r.transfer.retryAt)
	return earlier(at, r.retakeAt)
}

// earlier returns the earlier of two times, of which t may be zero for none.
func earlier(at, t time.Time) time.Time {
	if t.Before(at) && !t.IsZero() {
		return t
	}
	return at
}

// receive takes a message from a member.
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

// admit says whether a message is for this replica's group, epoch and the sender's memory that is
// a member of it (S4).
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

// OutdatedError says that this memory has been started more often than its directory knows.
type OutdatedError struct{ Own, Known uint64 }

func (e *OutdatedError) Error() string {
	return fmt.Sprintf("this directory says start number %d, another member has seen %d: it is an older copy, or in use twice; what it has acknowledged may be missing", e.Own, e.Known)
}

// Header is what goes with every message this replica sends.
func (r *Replica) Header() Header {
	return Header{Group: r.head.Group, Epoch: r.head.Epoch, Incarnation: r.head.Incarnation, Start: r.head.Start}
}

// Ready ends a turn: what waited travels as one Prepare and one save, and the shell gets all there
// is to do.
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

// maxUsed is how many messages of a turn have memory that is kept.
const maxSpare = 64

// reused returns the memory of messages that are good until the next Ready, for what comes after it.
func reused(messages []Outgoing) []Outgoing {
	if cap(messages) > maxSpare {
		return nil
	}
	return messages[:0]
}

// prim returns the primary of the present view.
func (r *Replica) prim() Index { return r.members.prim(r.head.View) }

// isPrimary reports whether this replica leads the present view.
func (r *Replica) isPrimary() bool { return r.status == normal && r.prim() == r.self }

// confirmed reports whether the group is known to have been confirmed by all members (S2).
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
