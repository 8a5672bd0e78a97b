package vsr

import "time"

// status is the state of the protocol that a replica is in (section 2).
type status uint8

const (
	recovering status = iota // belongs to no group: the group is not formed yet, or the memory is lost
	normal
	changingView
)

// Replica is the state of the protocol at one member. One goroutine owns it: it reports events with
// Step, and after any number of them calls Ready once and performs the Output. Between two calls of
// Ready nothing needs to be done.
//
//	applied <= delivered <= max(commit, takenBack);  commit <= log.last.Op  (11.1)
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
	takenBack OpNumber // highest commit number before the log was cut on a full disk (F13); 0: it never was
	checked   OpNumber // last op that agrees with the log of this view's primary (N3); checked <= log.last.Op
	ackDue    bool     // this turn ends with a PrepareOK

	snapshot      Snapshot  // the latest; the zero value if there is none
	damaged       bool      // snapshot can no longer be read (F9)
	retakeAt      time.Time // when another may be requested
	retakes       int       // how often that was done in quick succession
	keepAbove     OpNumber  // a slow replica needs the entries above, according to the primary (N9)
	compactTarget OpNumber  // keepAbove or the snapshot's op, whichever was lower at the latest compaction
	compactDue    bool      // there is a new snapshot

	heardAt   []time.Time // by member: when a message of it last came; zero if none has
	startSeen []uint64    // by member: highest start number of its incarnation (S6)
	memories  memories
	health    health
	stalls    stalls
	lastTick  time.Time // lastTick <= now

	applying   applying
	primary    primary // valid while isPrimary
	viewChange viewChange
	lastVote   uint64      // number of this process's latest vote (V1)
	withdrawn  []attemptID // by member: process and number of its latest vote that is known to be withdrawn (V1)
	forming    forming
	requests   requests
	reads      reads
	relays     relays
	transfer   transfer
	refetchAt  time.Time   // when a snapshot may be received, after one that failed
	refetches  int         // how often that was put off since one was complete
	chunkReads []chunkRead // at most maxChunkReads, the oldest first

	full bool // the disk has no space (F13)

	fullSince time.Time // since when
	short     string    // why, if it is not for want of space
	problem   string    // description for an operator; "" if all is well
	out       Output    // of this turn, so far

	// Memory of the previous turn's output, for that of the next turn.
	spare      []Outgoing
	spareReads []ReadReady
}

// New returns a replica that continues from the state on its disk. Its first Ready returns a save;
// all messages wait for that save.
func New(cfg Config, d Durable, now time.Time) *Replica {
	n := len(cfg.Members.Members)
	r := &Replica{cfg: cfg, self: cfg.Self, n: n, members: cfg.Members, now: now, lastTick: now,
		head: d.Head, heardAt: make([]time.Time, n), startSeen: make([]uint64, n), memories: memories{lost: make([]bool, n)},
		health: health{followed: -1, startedAt: now, servedAt: now, calls: calls{failingAt: now}, weak: make([]weak, n), refused: make([]string, n)}}
	for i := range Index(n) {
		r.all = append(r.all, i)
		if i != r.self {
			r.others = append(r.others, i)
		}
	}
	r.applying.movedAt = now
	r.relays = newRelays(n)
	r.viewChange.votes, r.withdrawn = make([]time.Time, n), make([]attemptID, n)
	r.forming.strangers, r.forming.differing = make([]bool, n), make([]string, n)
	r.requests.handled, r.requests.accepted = make([]attemptID, n), make([]attemptID, n)
	r.requests.startView = d.Head.View
	r.primary.progress = make([]progress, n)
	cfg.Detector.Reset(now)
	if d.Head.Incarnation == (Incarnation{}) {
		r.head.Incarnation = Incarnation(r.random16())
	}
	r.head.Start = nextStart(r.head.Start, r.cfg.Rand)
	r.saveIdentity()
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

// Header returns the header of every message that this replica sends.
func (r *Replica) Header() Header {
	return Header{Group: r.head.Group, Epoch: r.head.Epoch, Incarnation: r.head.Incarnation, Start: r.head.Start}
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
