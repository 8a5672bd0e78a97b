package vsr

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// firstStart returns the start number of a member's first process.
func firstStart(i Index) uint64 {
	random := rand.New(rand.NewPCG(uint64(i), 0))
	random.Uint64() // for the incarnation, as the next
	random.Uint64()
	return nextStart(0, random)
}

// normalize makes hosts equal that will behave the same, or that differ only in what the
// exploration leaves open anyway: when others were heard from, how many votes of a view change have
// arrived, which messages the primary has sent, and what it remembers of acknowledgements, because no
// memory is lost.
func normalize(h *host, crashes uint8) {
	r := h.core
	r.problem, r.keepAbove, r.head.Commit, r.requests.startView = "", 0, 0, 0
	r.memories.acknowledged, r.memories.shared = nil, false
	r.health = health{followed: -1, weak: make([]weak, r.n), refused: make([]string, r.n)}
	for i := range r.heardAt {
		r.heardAt[i] = r.now
		r.startSeen[i] = max(r.startSeen[i], firstStart(Index(i)))
	}
	r.relays, r.requests.forwarding = newRelays(r.n), forwarding{}
	r.lastVote = 0
	clear(r.withdrawn)
	normalizeChange(&r.viewChange)
	normalizePrimary(r)
	for i := range r.saves.deferred {
		if d, ok := r.saves.deferred[i].out.Message.(*DoViewChange); ok {
			r.saves.deferred[i].out.Message = withoutMemories(d)
		}
	}
	r.saves.deferred = distinct(slices.DeleteFunc(r.saves.deferred, saidAnyway))
	if crashes == 0 {
		h.forgetCommits()
	}
	h.renumberSaves()
}

// normalizeChange discards votes, because every event that needs votes brings them.
func normalizeChange(c *viewChange) {
	clear(c.votes)
	c.voting, c.ownNext, c.primaryNext = false, 0, 0
	c.timeout, c.noVoteBefore, c.repeatVoteAt = 0, time.Time{}, time.Time{}
	c.givenFrom, c.giving, c.givenUntil = 0, false, time.Time{} // what was given arrives at any time
	if c.best == nil {
		c.owner = 0
	}
	c.described = withoutMemories(c.described)
	for i := range c.logs {
		c.logs[i] = withoutMemories(c.logs[i])
	}
	c.best = withoutMemories(c.best)
	for _, t := range []*time.Time{&c.giveUpAt, &c.resendAt} {
		if !t.IsZero() {
			*t = farAway
		}
	}
}

// withoutMemories returns the description of a log without what its sender remembers.
func withoutMemories(d *DoViewChange) *DoViewChange {
	if d == nil {
		return nil
	}
	c := *d
	c.Acknowledged = nil
	return &c
}

// normalizePrimary keeps only the part of a primary's state that decides about commitment, because
// the primary sends everything it could send, at once.
func normalizePrimary(r *Replica) {
	was := r.primary
	r.primary = primary{progress: make([]progress, r.n)}
	for i := range r.primary.progress {
		r.primary.progress[i].answeredAt = r.now
	}
	if !r.isPrimary() {
		return
	}
	r.primary.opening, r.primary.heartbeatAt = was.opening, r.after(1)
	for i := range was.progress {
		q := &r.primary.progress[i]
		q.match, q.matchStart = was.progress[i].match, math.MaxUint64 // of no earlier start: no memory is lost
		if was.opening > 0 && Index(i) != r.self {                    // its own match is what its disk holds
			q.match = max(q.match, r.commit) // ops below it need no counting
		}
		q.next, q.seen, q.probeSent = q.match+1, q.match, true
	}
}

// forgetCommits removes differences in commit numbers that are never read from the disk.
func (h *host) forgetCommits() {
	h.disk.head.Commit = 0
	for i, save := range h.unsaved {
		c := *save
		c.Head.Commit = 0
		h.unsaved[i] = &c
	}
}

// renumberSaves numbers the saves from the last completed one.
func (h *host) renumberSaves() {
	s := &h.core.saves
	if s.doneSeq == 0 {
		return
	}
	shift := s.doneSeq - 1
	for _, n := range []*uint64{&s.issuedSeq, &s.doneSeq, &s.identitySeq, &s.headSeq, &s.logSeq} {
		*n = max(*n, shift+1) - shift
	}
	for i := range s.issued {
		s.issued[i].seq -= shift
	}
	for i := range s.deferred {
		s.deferred[i].save = max(s.deferred[i].save, shift+1) - shift
	}
	for i, save := range h.unsaved {
		c := *save
		c.Seq -= shift
		h.unsaved[i] = &c
	}
}

// distinct returns the deferred messages without duplicates and in a canonical order, because sent
// messages remain available.
func distinct(all []deferredMessage) []deferredMessage {
	slices.SortStableFunc(all, func(a, b deferredMessage) int {
		return cmp.Or(strings.Compare(identity(a.out), identity(b.out)), cmp.Compare(a.save, b.save))
	})
	return slices.CompactFunc(all, func(a, b deferredMessage) bool { return identity(a.out) == identity(b.out) })
}

// saidAnyway reports whether a deferred message makes no difference, or will be sent after its save
// even if it is not deferred.
func saidAnyway(h deferredMessage) bool {
	switch h.out.Message.(type) {
	case *StartViewChange, *Gap, *CommitOK, *Outdated:
		return true
	}
	return false
}
