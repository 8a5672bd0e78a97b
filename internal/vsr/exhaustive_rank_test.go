package vsr

import "slices"

// rank measures a member's progress. Every event without another start leads to a higher rank or to
// the same body. So does a crash, because one less can follow.
func rank(h *host, crashes uint8) uint64 {
	r := h.core
	stage := 2 * uint64(r.head.View)
	if r.status == normal {
		stage++
	}
	stage += uint64(maxCrashes-crashes) * 2 * maxViews
	saved := maxUnsaved - uint64(len(h.unsaved))
	return ((stage<<12|progressWithin(r))<<4|saved)<<6 | uint64(len(r.saves.deferred))
}

const (
	maxCrashes = 7
	maxUnsaved = 15
)

// progressWithin measures progress within a view, and within the change to it.
func progressWithin(r *Replica) (n uint64) {
	for _, d := range r.viewChange.logs {
		if d != nil {
			n += 1 + 16*uint64(d.Last.View) + uint64(d.Last.Op)
		}
	}
	if r.viewChange.best != nil {
		n++
	}
	if r.viewChange.stateRequested {
		n++
	}
	n += uint64(r.checked) + uint64(r.commit)
	if !r.isPrimary() {
		return n
	}
	for i := range r.primary.progress {
		n += uint64(r.primary.progress[i].match)
	}
	return n + uint64(r.log.last.Op) + uint64(r.primary.opening)
}

// rank returns the rank of all members together: every step leads to a higher rank or to the same
// bodies.
func (w *world) rank(x *explorer) (sum uint64) {
	for _, s := range w.seats[:x.scope.replicas] {
		sum += x.seats[s].place.rank
	}
	return sum
}

// ranks holds the worlds to be expanded, in the order of their rank. When the worlds of a rank are
// expanded, every world that leads to them is known.
type ranks struct {
	rising []uint64 // ranks that have worlds
	at     map[uint64]*sameRank
	now    *sameRank
}

type sameRank struct {
	groups []group
	of     map[members]int
	next   int
}

// group holds worlds with the same bodies, none of which covers another.
type group struct {
	bodies members
	worlds []world
	begun  bool
}

func newRanks() *ranks { return &ranks{at: map[uint64]*sameRank{}, now: &sameRank{}} }

// group returns the group of those bodies.
func (r *ranks) group(rank uint64, bodies members) *group {
	same := r.at[rank]
	if same == nil {
		same = &sameRank{of: map[members]int{}}
		r.at[rank] = same
		i, _ := slices.BinarySearch(r.rising, rank)
		r.rising = slices.Insert(r.rising, i, rank)
	}
	i, ok := same.of[bodies]
	if !ok {
		i = len(same.groups)
		same.of[bodies] = i
		same.groups = append(same.groups, group{bodies: bodies})
	}
	return &same.groups[i]
}

// next returns the next group to expand, or nil. It forgets the previous one.
func (r *ranks) next() *group {
	for r.now.next == len(r.now.groups) {
		if r.now.next > 0 {
			delete(r.at, r.rising[0])
			r.rising = r.rising[1:]
		}
		if len(r.rising) == 0 {
			return nil
		}
		r.now = r.at[r.rising[0]]
	}
	if n := r.now.next; n > 0 {
		r.now.groups[n-1].worlds = nil
	}
	r.now.next++
	g := &r.now.groups[r.now.next-1]
	g.begun = true
	return g
}
