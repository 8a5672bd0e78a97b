package vsr

import (
	"fmt"
	"strings"
)

// State is what a replica tells of itself.
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

	HandingOver bool // a primary: a handover is under way
}

// Phase names what a replica does for those outside.
type Phase uint8

// The phases.
const (
	Forming      Phase = iota // holds no group, or one that is not confirmed
	Recovering                // the group exists, its memory is not of it (S3)
	InViewChange              //
	Backup                    //
	Primary                   //
)

var phaseNames = [...]string{"forming", "recovering", "view change", "backup", "primary"}

func (p Phase) String() string { return phaseNames[p] }

// State returns what this replica is and holds now.
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
		return InViewChange // it takes nothing, and waits for another, or for answers
	case r.isPrimary():
		return Primary
	}
	return Backup
}

// missingQuorum says which members are missing when too few are heard for the group to go on.
func (r *Replica) missingQuorum() string {
	left := r.isPrimary() && r.primary.resigned == noQuorum
	if !left && (r.status != changingView || r.viewChange.timeout <= changeTimeout*r.cfg.Heartbeat) {
		return "" // nothing is wrong, or it has not lasted
	}
	var silent []string
	for _, i := range r.others {
		if !r.heardLately(i) {
			silent = append(silent, r.memberID(i))
		}
	}
	if r.n-len(silent) >= max(r.members.Qr, r.members.Qv) {
		return ""
	}
	return fmt.Sprintf("no quorum: %d of %d members are there, %d are needed; %s cannot be heard",
		r.n-len(silent), r.n, max(r.members.Qr, r.members.Qv), strings.Join(silent, ", "))
}

// Commit returns the commit number.
func (r *Replica) Commit() OpNumber { return r.commit }

// Stamp returns the viewstamp of an op that the log holds, or that it begins after.
func (r *Replica) Stamp(op OpNumber) (Viewstamp, bool) { return r.log.stamp(op) }
