package vsr

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

	// Snapshots is what prevents this replica from taking snapshots, which prevents no call; "" if nothing
	// does. The shell sets it.
	Snapshots string
}

// Hindrance returns why calls may have to wait: the problem, or that there is no primary. It returns
// "" if neither is known.
func (s *State) Hindrance() string {
	if s.Problem == "" && s.Primary < 0 {
		return "there is no primary at present"
	}
	return s.Problem
}

// Phase is the role of a replica, or the reason why it has none.
type Phase uint8

// The phases.
const (
	Forming      Phase = iota // belongs to no group, or to one that is not confirmed
	Outside                   // the group exists, and does not include this replica's memory (S3)
	InViewChange              //
	Backup                    //
	Primary                   //
)

var phaseNames = [...]string{"forming", "outside", "view change", "backup", "primary"}

func (p Phase) String() string { return phaseNames[p] }

// State returns the state of this replica.
func (r *Replica) State() State {
	s := State{Phase: r.phase(), Head: r.head, Primary: -1, Members: r.members, Last: r.log.last, First: r.log.base.Op + 1,
		Commit: r.commit, Applied: r.applied, Snapshot: r.snapshot.Last.Op, Problem: r.problem,
		HandingOver: r.isPrimary() && r.primary.handover.active}
	if r.status == normal && s.Phase != InViewChange {
		s.Primary = r.prim()
	}
	switch {
	case r.refusesForSpace():
		s.Problem = r.spaceText()
	case r.full:
		s.Problem = r.fullProblem()
	case s.Problem == "":
		s.Problem = r.health.problem
	}
	return s
}

func (r *Replica) phase() Phase {
	switch {
	case r.forming.lost:
		return Outside
	case r.status == recovering || !r.confirmed():
		return Forming
	case r.status == changingView:
		return InViewChange
	case r.isPrimary() && r.primary.resigned == noQuorum:
		return InViewChange // it accepts no request, and waits for answers or for another primary
	case r.isPrimary():
		return Primary
	case r.changeStalls():
		return InViewChange // its primary is silent, and its vote to leave the view has had no effect
	}
	return Backup
}

// changeStalls reports whether this replica has had no primary for longer than the first view
// change's timeout: view changes have failed, or its own vote to leave the view has had no effect.
func (r *Replica) changeStalls() bool {
	c, limit := &r.viewChange, changeTimeout*r.cfg.Heartbeat
	return r.status == changingView && c.timeout > limit || c.voting && r.now.Sub(r.suspectAt()) > limit
}

// Commit returns the commit number.
func (r *Replica) Commit() OpNumber { return r.commit }

// Identified reports whether what Header returns is durable.
func (r *Replica) Identified() bool { return r.saves.doneSeq > 0 && r.saves.identified() }

// TakenBack returns the highest commit number before the log was cut on a full disk (F13), 0 if it never
// was.
func (r *Replica) TakenBack() OpNumber { return r.takenBack }

// Stamp returns the viewstamp of an op in the log, or of the entry before the first.
func (r *Replica) Stamp(op OpNumber) (Viewstamp, bool) { return r.log.stamp(op) }
