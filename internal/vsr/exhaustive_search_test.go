package vsr

import (
	"errors"
	"fmt"
	"slices"
)

// explorer explores a scope.
type explorer struct {
	scope     scope
	config    Config
	formation Entry

	places     []*place
	placeIDs   identities
	bodyIDs    identities
	entryIDs   identities
	diskIDs    identities
	histories  histories
	messages   []*sent
	messageIDs identities
	mails      *lists // messages for one member
	posted     *lists // mails by member
	seats      []*seat
	seatIDs    identities
	received   map[uint64]uint32 // by seat and mail
	shares     []shared
	shareIDs   map[shared]uint32

	pairsChecked map[[2]uint32]bool // by entries
	disksChecked map[members]map[uint32]bool

	first       world
	ranks       *ranks
	origins     []origin // by world number
	worlds      int      // expanded
	transitions int
	keep        func(members, *world) // called with every expanded world; may be nil
}

const maxMembers = 5

// members holds a number for each member.
type members [maxMembers]uint32

// world is a seat for each member, and the shared state.
type world struct {
	seats  members
	shared uint32
	number uint32
	dead   bool // another world covers it
}

// shared is the part of a world that belongs to no member.
type shared struct {
	canon uint32 // every op ever known to be committed
	ops   uint8
}

// origin is the step, and the member, by which the exploration came to a world.
type origin struct {
	parent uint32
	member uint8
	step   uint16
}

func newExplorer(s scope) *explorer {
	return &explorer{scope: s, placeIDs: identities{}, bodyIDs: identities{}, entryIDs: identities{}, diskIDs: identities{},
		histories: histories{ids: identities{}}, messageIDs: identities{}, mails: newLists(), posted: newLists(),
		seatIDs: identities{}, received: map[uint64]uint32{}, shareIDs: map[shared]uint32{},
		pairsChecked: map[[2]uint32]bool{}, disksChecked: map[members]map[uint32]bool{}}
}

func (x *explorer) shared(e shared) uint32 {
	id, ok := x.shareIDs[e]
	if !ok {
		id = uint32(len(x.shares))
		x.shareIDs[e] = id
		x.shares = append(x.shares, e)
	}
	return id
}

// begin forms the group: the first world. Each member may crash the given number of times.
func (x *explorer) begin(crashes []int) error {
	g := newTestGroup(x.scope.replicas)
	g.config.DiskLimit = 0
	x.config = g.config
	g.form()
	if g.broken != nil || len(g.transit) > 0 {
		return errors.Join(g.broken, errors.New("the group is not formed"))
	}
	x.formation = g.history.canon[1]
	var w world
	var said []*sent
	var e shared
	for i, h := range g.hosts {
		p, err := x.place(h, [maxViews]uint64{}, uint8(crashes[i]))
		if err != nil {
			return err
		}
		e.canon = p.committed
		said = append(said, p.said...)
		w.seats[i] = x.seat(p, nil)
	}
	x.post(&w, x.posts(said))
	w.shared = x.shared(e)
	x.first, x.ranks, x.origins = w, newRanks(), nil
	x.insert(w, origin{})
	return nil
}

var errStopped = errors.New("stopped")

// exploreAll explores the scope once for each distribution of the crashes among the members, until
// stopped.
func (x *explorer) exploreAll(stop func() bool) error {
	for _, crashes := range shareOut(x.scope.crashes, x.scope.replicas) {
		if err := x.explore(crashes, stop); err != nil {
			return fmt.Errorf("crashes %v: %w", crashes, err)
		}
	}
	return nil
}

// explore explores every world, if each member may crash the given number of times.
func (x *explorer) explore(crashes []int, stop func() bool) error {
	if err := x.begin(crashes); err != nil {
		return err
	}
	for g := x.ranks.next(); g != nil; g = x.ranks.next() {
		for i := 0; i < len(g.worlds); i++ {
			if stop() {
				return errStopped
			}
			if err := x.goOn(g, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// goOn expands a world, unless another one covers it.
func (x *explorer) goOn(g *group, i int) error {
	w := g.worlds[i]
	if w.dead {
		return nil
	}
	if err := x.talk(&w, nil); err != nil {
		return x.failed(w.number, err)
	}
	x.worlds++
	if x.keep != nil {
		x.keep(g.bodies, &w)
	}
	for r := range x.scope.replicas {
		steps, err := x.steps(w.seats[r])
		for k := 0; k < len(steps) && err == nil; k++ {
			to := w
			if err = x.follow(&to, &w, r, k, &steps[k]); err != nil {
				err = &brokenAt{steps[k].event, x.seats[w.seats[r]].place, err}
			}
		}
		if err != nil {
			return x.failed(w.number, err)
		}
	}
	return nil
}

// talk lets all members send every message that does not change their places. A world with more
// messages can do everything that the same world without them can.
func (x *explorer) talk(w *world, onto func(*next)) error {
	for r := 0; r < x.scope.replicas; r++ {
		id := w.seats[r]
		if _, err := x.steps(id); err != nil {
			return err
		}
		for k := range x.seats[id].talks {
			t := x.seats[id].talks[k]
			before := w.seats
			if x.post(w, t.posts); w.seats != before {
				r = -1 // other members may answer
				if onto != nil {
					onto(t)
				}
				break
			}
		}
	}
	return nil
}

func (x *explorer) follow(to, from *world, r, k int, st *step) error {
	in, err := x.take(to, r, st)
	if err != nil || !in {
		return err
	}
	x.transitions++
	if x.insert(*to, origin{from.number, uint8(r), uint16(k)}) {
		return x.check(to, from, r)
	}
	return nil
}

// shareOut returns the ways to distribute crashes among members.
func shareOut(crashes, members int) (all [][]int) {
	if members == 1 {
		return [][]int{{crashes}}
	}
	for n := crashes; n >= 0; n-- {
		for _, rest := range shareOut(crashes-n, members-1) {
			all = append(all, slices.Concat([]int{n}, rest))
		}
	}
	return all
}
