package vsr

import (
	"errors"
	"slices"
	"time"
)

// explorer explores a scope breadth first.
type explorer struct {
	scope     scope
	config    Config
	formation Entry

	places     []*place
	placeIDs   identities
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
	disksChecked map[worldKey]bool  // disks and history

	all         []uint32 // worlds, one after the other: the members' seats and what is shared
	parents     []uint32 // by world
	dead        []bool   // by world: another one covers it
	best        map[worldKey][]uint32
	transitions int
}

const maxMembers = 5

// worldKey has a number for each member, and one for all.
type worldKey [maxMembers + 1]uint32

// shared is the part of a world that belongs to no member.
type shared struct {
	canon        uint32 // all that was ever known to be committed
	ops, crashes uint8
}

func newExplorer(s scope) *explorer {
	return &explorer{scope: s, placeIDs: identities{}, entryIDs: identities{}, diskIDs: identities{},
		histories: histories{ids: identities{}}, messageIDs: identities{}, mails: newLists(), posted: newLists(),
		seatIDs: identities{}, received: map[uint64]uint32{}, shareIDs: map[shared]uint32{},
		pairsChecked: map[[2]uint32]bool{}, disksChecked: map[worldKey]bool{}, best: map[worldKey][]uint32{}}
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

func (x *explorer) worlds() int { return len(x.parents) }

func (x *explorer) world(i int) []uint32 {
	width := x.scope.replicas + 1
	return x.all[i*width : (i+1)*width]
}

// begin forms the group: the first world.
func (x *explorer) begin() error {
	g := newTestGroup(x.scope.replicas)
	g.config.DiskLimit = 0
	x.config = g.config
	g.form()
	if g.broken != nil || len(g.transit) > 0 {
		return errors.Join(g.broken, errors.New("the group is not formed"))
	}
	x.formation = g.history.canon[1]
	var w []uint32
	var said []*sent
	var e shared
	for _, h := range g.hosts {
		p, err := x.place(h, [maxViews]uint64{}, x.scope.crashes == 0)
		if err != nil {
			return err
		}
		e.canon = p.committed
		said = append(said, p.said...)
		w = append(w, x.seat(p, nil))
	}
	x.post(w, x.posts(said))
	x.insert(append(w, x.shared(e)), 0)
	return nil
}

// explore goes on until all is explored, or the time is over: a zero time is never over.
func (x *explorer) explore(until time.Time) (complete bool, err error) {
	if err := x.begin(); err != nil {
		return false, err
	}
	for i := 0; i < x.worlds(); i++ {
		if i&1023 == 0 && !until.IsZero() && time.Now().After(until) {
			return false, nil
		}
		for r := 0; r < x.scope.replicas && !x.dead[i]; r++ {
			if err := x.expand(i, r); err != nil {
				return false, x.failed(i, err)
			}
		}
	}
	return true, nil
}

// expand finds the worlds that steps of member r lead to from world i, until one of them covers it.
func (x *explorer) expand(i, r int) error {
	from := slices.Clone(x.world(i))
	steps, err := x.steps(from[r])
	to := make([]uint32, len(from))
	for k := 0; k < len(steps) && err == nil && !x.dead[i]; k++ {
		copy(to, from)
		if err = x.follow(to, from, uint32(i), r, &steps[k]); err != nil {
			err = &brokenAt{steps[k].event, x.seats[from[r]].place, err}
		}
	}
	return err
}

func (x *explorer) follow(to, from []uint32, parent uint32, r int, st *step) error {
	in, err := x.take(to, r, st)
	if err != nil || !in {
		return err
	}
	x.transitions++
	if x.insert(to, parent) {
		return x.check(to, from, r)
	}
	return nil
}
