package vsr

import (
	"fmt"
	"strings"
	"time"
)

// State describes a replica.
type State struct {
	Phase    Phase
	Head     Head
	Primary  Index // -1: unknown
	Members  Membership
	Last     Viewstamp
	First    OpNumber // first op of the log
	Commit   OpNumber
	Applied  OpNumber
	Snapshot OpNumber
	Problem  string

	HandingOver bool // a handover by this primary is in progress
}

// Phase is the role of a replica, or the reason why it has none.
type Phase uint8

// The phases.
const (
	Forming      Phase = iota // belongs to no group, or to one that is not confirmed
	Recovering                // the group exists, and does not include this replica's memory (S3)
	InViewChange              //
	Backup                    //
	Primary                   //
)

var phaseNames = [...]string{"forming", "recovering", "view change", "backup", "primary"}

func (p Phase) String() string { return phaseNames[p] }

// State returns the state of this replica.
func (r *Replica) State() State {
	s := State{Phase: r.phase(), Head: r.head, Primary: -1, Members: r.members, Last: r.log.last, First: r.log.base.Op + 1,
		Commit: r.commit, Applied: r.applied, Snapshot: r.snapshot.Last.Op, Problem: r.problem,
		HandingOver: r.isPrimary() && r.primary.handover.active}
	if r.status == normal && s.Phase != InViewChange {
		s.Primary = r.prim()
	}
	if s.Problem == "" {
		s.Problem = r.missingQuorum()
	}
	if r.full {
		s.Problem = "the disk is full: this replica acknowledges nothing until there is space"
	}
	return s
}

func (r *Replica) phase() Phase {
	switch {
	case r.forming.lost:
		return Recovering
	case r.status == recovering || !r.confirmed():
		return Forming
	case r.status == changingView:
		return InViewChange
	case r.isPrimary() && r.primary.resigned == noQuorum:
		return InViewChange // it accepts no request, and waits for answers or for another primary
	case r.isPrimary():
		return Primary
	case r.changeStalls(1):
		return InViewChange // its primary is silent, and its vote to leave the view has had no effect
	}
	return Backup
}

// changeStalls reports whether this replica has had no primary for longer than that many of the
// first view change's timeouts: view changes have failed, or its own vote to leave the view has had
// no effect.
func (r *Replica) changeStalls(times time.Duration) bool {
	c, limit := &r.viewChange, times*changeTimeout*r.cfg.Heartbeat
	return r.status == changingView && c.timeout > limit || c.voting && r.now.Sub(r.suspectAt()) > limit
}

// missingQuorum describes why the group cannot continue: which members cannot be reached, if too few
// can, or that no view begins although enough can. It returns "" if all is well, or the silence is
// short so far.
func (r *Replica) missingQuorum() string {
	if left := r.isPrimary() && r.primary.resigned == noQuorum; !left && !r.changeStalls(1) {
		return ""
	}
	var silent []string
	for _, i := range r.others {
		if !r.heardLately(i) {
			silent = append(silent, r.memberID(i))
		}
	}
	heard, needed := r.n-len(silent), max(r.members.Qr, r.members.Qv)
	switch {
	case heard < needed:
		return fmt.Sprintf("no quorum: %d of %d members can be reached, %d are needed; no messages from %s",
			heard, r.n, needed, strings.Join(silent, ", "))
	case r.changeStalls(4):
		return fmt.Sprintf("no primary: %d of %d members can be reached, but no view change finishes; another member may report why", heard, r.n)
	}
	return ""
}

// Commit returns the commit number.
func (r *Replica) Commit() OpNumber { return r.commit }

// Stamp returns the viewstamp of an op in the log, or of the entry before the first.
func (r *Replica) Stamp(op OpNumber) (Viewstamp, bool) { return r.log.stamp(op) }
