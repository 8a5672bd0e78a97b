package vsr

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Full disks (F13). Commands are not saved on a full disk; saves of the head, cuts of the log and
// opening entries are: they need no space, or use the reserve.

// setDiskFull records whether the disk is full, or short is why else no command can be saved.
func (r *Replica) setDiskFull(full bool, short string) {
	if full && !r.full {
		r.fullSince = r.now
	}
	r.full, r.short = full, short
	if c := &r.viewChange; c.described != nil && c.described.Full != full {
		d := *c.described // messages share it
		d.Full, c.described = full, &d
	}
	switch {
	case !full:
		r.refetches, r.refetchAt = 0, time.Time{} // there may be space for a snapshot too
		r.resumeAfter(diskFull)
	case !r.isPrimary():
		r.takeBack()
		r.tryLead()
	}
	r.updateSpace()
}

// takeBack cuts the log after its last durable entry: then the saves that wait for space need none, the
// head can be saved, and this replica takes part in view changes (F13). The commit number falls with the log.
// The state stays: entries that it contains are received again, and not applied again. An op 1 that is
// not durable waits for space: a replica whose log is empty belongs to no group (S2).
func (r *Replica) takeBack() {
	to := r.saves.durable
	if to == 0 || to >= r.log.last.Op {
		return
	}
	r.dropDeferred() // acknowledgements and descriptions of the entries that are cut
	r.takenBack = max(r.takenBack, r.commit)
	if s := r.snapshot.Last; s.Op > to { // it is durable, and holds more than the log
		r.resetLog(s)
		to = s.Op
	} else {
		r.cutLog(to)
	}
	r.commit, r.checked = min(r.commit, to), min(r.checked, to)
	if r.status == changingView && r.viewChange.described != nil {
		r.describeAgain()
	}
}

// takes returns the entries of a Prepare that this replica takes: all of them, or, on a full disk,
// those before the first command that its log lacks.
func (r *Replica) takes(entries []Entry) []Entry {
	if !r.full {
		return entries
	}
	for i := range entries {
		if e := &entries[i]; e.Kind != Opening && e.Op > r.commit && !r.log.has(e.Stamp()) {
			return entries[:i]
		}
	}
	return entries
}

// needsSpace reports whether a member whose disk is full cannot take the entry at op. Entries that are
// not in memory count as commands.
func (r *Replica) needsSpace(op OpNumber) bool {
	if op > r.log.last.Op {
		return false
	}
	e := r.log.entries(op, op, 0)
	return len(e) == 0 || e[0].Kind != Opening
}

// hasSpace reports whether this primary knows that a member can save commands: it answers, and its disk
// is not full.
func (r *Replica) hasSpace(i Index) bool {
	if i == r.self {
		return !r.full
	}
	return !r.primary.progress[i].full && r.answersNow(i)
}

// withSpace returns how many voters can save commands, as far as this primary knows.
func (r *Replica) withSpace() int {
	count := 0
	for _, i := range r.all {
		if r.hasSpace(i) {
			count++
		}
	}
	return count
}

// leaveIfFull makes a primary whose disk is full give up its role if enough others have space. With
// fewer, it stays, and serves reads (F13). It waits for the abdication time, because disks that fill at
// the same rate are full at about the same time: a successor could serve no reads if other members
// lacked entries that it holds and had no space for them.
func (r *Replica) leaveIfFull() {
	waited := r.full && r.now.Sub(r.fullSince) >= r.cfg.Abdication
	if r.isPrimary() && waited && r.primary.resigned == serving && r.withSpace() >= r.members.Qr {
		r.resign(diskFull)
	}
}

// updateSpace makes the primary refuse requests while so few voters have space that nothing can be
// committed, because disks are full. When that begins, it refuses those that wait here.
func (r *Replica) updateSpace() {
	if !r.isPrimary() {
		return
	}
	p := &r.primary
	refuses := (r.full || r.fullDisks() != "") && r.withSpace() < r.members.Qr
	if refuses && !p.refuses {
		r.refuseWaiting()
	}
	p.refuses = refuses
}

// refusesForSpace reports whether this replica is a primary that refuses requests because too few
// members have space.
func (r *Replica) refusesForSpace() bool {
	return r.isPrimary() && r.primary.refuses && r.primary.resigned == serving
}

// refuseWaiting settles the requests that were never sent, because the disks have no space for them.
func (r *Replica) refuseWaiting() {
	q := &r.requests
	for number := q.floor; number < q.floor+uint64(len(q.waiting)); number++ {
		if number < q.floor {
			continue // settling the previous request has raised the floor
		}
		if w := q.waiting[number-q.floor]; w != nil && len(w.attempts) == 0 {
			r.settle(number, ErrNoSpace)
		}
	}
}

// fullDisks returns the names of the members whose disks are full, as far as this primary knows.
func (r *Replica) fullDisks() string {
	var names []string
	for _, i := range r.all {
		if i == r.self && r.full || i != r.self && r.primary.progress[i].full {
			names = append(names, r.memberID(i))
		}
	}
	return strings.Join(names, ", ")
}

// spaceText describes why writes are refused.
func (r *Replica) spaceText() string {
	reads := "and reads served"
	if r.commit < r.primary.opening {
		reads = "and reads wait"
	}
	for _, i := range r.all {
		x := r.reportOn(i)
		if short, ok := shortage(x.Problem); i == r.self && r.short != "" || x.Full && ok {
			return fmt.Sprintf("writes are refused, %s: %s cannot save operations, %d members must be able to; %s: %s",
				reads, r.fullDisks(), r.members.Qr, r.memberID(i), cmp.Or(r.short, short))
		}
	}
	return fmt.Sprintf("writes are refused, %s: the disks of %s are full, and %d members must have space", reads, r.fullDisks(), r.members.Qr)
}

const (
	diskFullProblem = "the disk is full, and no operations are saved until there is space"
	shortProblem    = "operations cannot be saved here: "
)

// fullProblem describes why this replica saves no commands.
func (r *Replica) fullProblem() string {
	if r.short == "" {
		return diskFullProblem
	}
	return limited(shortProblem + r.short)
}

// shortage returns why a member that has reported a problem saves no commands, if that is not a full disk.
func shortage(problem string) (why string, ok bool) { return strings.CutPrefix(problem, shortProblem) }

// betterPlace returns the view to enter in place of the one that this replica, whose disk is full, is
// about to lead; 0 if it leads. If Qr voters have space, it is the view of the one of them with the best
// log; otherwise that of the owner of the best log, whose entries could not be saved here.
func (r *Replica) betterPlace() View {
	c := &r.viewChange
	if !r.full || r.n == 1 {
		return 0
	}
	best, count := c.owner, 0
	for i, d := range c.logs {
		if d == nil || d.Full || !r.heardLately(Index(i)) {
			continue
		}
		if count++; count == 1 || d.Last.Compare(c.logs[best].Last) > 0 {
			best = Index(i)
		}
	}
	if count < r.members.Qr {
		best = c.owner
	}
	if best == r.self {
		return 0
	}
	return r.members.viewOf(best, r.head.View)
}

// SavableWhenFull merges as many saves as it can, from the first on, into one that adds no command to a
// log which ends with last. Saves that drop the commands of others make that possible. It returns the
// merged save, and how many it merges; nil and 0 if the first saves add commands that none drops.
func SavableWhenFull(last OpNumber, saves []*Save) (merged *Save, n int) {
	var base *Viewstamp
	var entries []Entry // appended after keep
	keep, command := last, OpNumber(0)
	for i, s := range saves {
		if s.Base != nil {
			base, keep, entries, command = s.Base, s.Base.Op, nil, 0
		}
		if s.From > 0 && s.From <= keep {
			keep, entries = s.From-1, nil
		} else if s.From > 0 {
			entries = entries[:min(s.From-keep-1, OpNumber(len(entries)))]
		}
		if s.From > 0 && command >= s.From {
			command = 0
		}
		entries = append(entries, s.Entries...)
		for j := range s.Entries {
			if e := &s.Entries[j]; e.Kind != Opening && command == 0 {
				command = e.Op
			}
		}
		if command > 0 {
			continue
		}
		merged, n = &Save{Seq: s.Seq, Head: s.Head, Base: base, Entries: slices.Clone(entries)}, i+1
		if base == nil && keep < last {
			merged.From = keep + 1
		}
	}
	return merged, n
}
