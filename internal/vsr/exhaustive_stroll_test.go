package vsr

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// explored holds the worlds that an exploration expanded, by bodies.
type explored map[members][]world

func (e explored) keep(bodies members, w *world) { e[bodies] = append(e[bodies], *w) }

// stroll is a random walk of real cores in an exploration's scope, without any reduction: every
// message ever sent may arrive, any number of times or never; saves complete one by one; votes
// arrive one by one and expire; and every member may repeat a message that it would repeat as time
// passes.
type stroll struct {
	x       *explorer
	g       *testGroup
	rnd     *rand.Rand
	said    []*sent
	known   map[string]bool // the same
	mail    [][]uint32      // the same in normal form, by receiver; rising
	ops     int
	canon   uint32 // every op ever known to be committed
	crashes []int  // number of crashes that may still happen, by member
	steps   []string
}

func newStroll(x *explorer, seed uint64) *stroll {
	s := &stroll{x: x, g: newTestGroup(x.scope.replicas), rnd: rand.New(rand.NewPCG(seed, 2)), known: map[string]bool{},
		mail: make([][]uint32, x.scope.replicas)}
	s.g.config = x.config
	s.crashes = make([]int, x.scope.replicas)
	for range x.scope.crashes {
		s.crashes[s.rnd.IntN(x.scope.replicas)]++
	}
	s.g.form()
	s.canon = x.committed(s.g.hosts[0].core)
	s.g.onto = func(line string) { s.steps = append(s.steps, "\t"+line) }
	return s
}

// walkIn takes random walks in the explored scope, and checks that every world on the way is
// covered by an explored one, once the saves that the exploration always completes are complete. A
// walk ends where it leaves the scope.
func walkIn(t *testing.T, x *explorer, e explored, walks int) {
	worlds := 0
	for seed := range uint64(walks) {
		s := newStroll(x, seed)
		for range 150 {
			if s.step(); !s.inScope() {
				break
			}
			s.g.keep(s.covered(e))
			require.NoError(t, s.g.broken, "seed %d:\n%s", seed, strings.Join(s.steps, "\n"))
			worlds++
		}
	}
	t.Logf("all %d worlds of %d random walks are covered", worlds, walks)
}

// step performs one random event.
func (s *stroll) step() {
	i := s.rnd.IntN(len(s.g.hosts))
	h := s.g.hosts[i]
	switch choice := s.rnd.IntN(24); {
	case choice < 13:
		s.message()
	case choice < 17:
		if n := len(h.unsaved); n > 0 {
			s.did("saved %s", h.id)
			s.g.saved(h, 1+s.rnd.IntN(n))
		}
	case choice < 19:
		s.repeat(h)
	case choice == 19:
		s.forget(h)
	case choice == 20 && s.crashes[i] > 0:
		s.crashes[i]--
		n := s.rnd.IntN(len(h.unsaved) + 1)
		s.did("crash %s keep=%d; start %s", h.id, n, h.id)
		s.g.crash(h, n)
		s.g.start(h)
	case choice == 21 && s.ops < s.x.scope.ops && s.g.propose(h, fmt.Sprintf("x=%d", s.ops+1)):
		s.ops++
		s.did("propose %s", h.id)
		s.g.turn(h)
	case choice > 21 && !h.core.isPrimary() && (int(h.core.head.View)+1 < s.x.scope.views || s.rnd.IntN(8) == 0):
		s.did("suspect %s", h.id)
		s.g.suspect(h)
	}
	s.hear(s.g.transit)
	s.g.transit = nil
	for _, h := range s.g.hosts {
		var err error
		s.canon, err = s.x.longer(s.canon, s.x.committed(h.core))
		s.g.keep(err)
	}
}

// hear records the messages that were sent.
func (s *stroll) hear(all []*sent) {
	for _, m := range all {
		if id := identity(m); !s.known[id] {
			s.known[id] = true
			s.said = append(s.said, m)
			s.mail[m.to] = s.x.withMessage(s.mail[m.to], m)
		}
	}
}

// withMessage adds a message in normal form to a sorted list.
func (x *explorer) withMessage(mail []uint32, m *sent) []uint32 {
	if id, ok := x.messageNumber(m); ok {
		if i, found := slices.BinarySearch(mail, id); !found {
			return slices.Insert(mail, i, id)
		}
	}
	return mail
}

func (s *stroll) did(format string, args ...any) {
	s.steps = append(s.steps, fmt.Sprintf(format, args...))
}

// message delivers a message, most often one of the newest.
func (s *stroll) message() {
	if n := len(s.said); n > 0 {
		m := s.said[max(s.rnd.IntN(n), s.rnd.IntN(n))]
		s.did("deliver %s→%s %s", memberNames[m.from:m.from+1], memberNames[m.to:m.to+1], messageText(m.message))
		s.g.receive(m)
	}
}

// repeat makes a member send the messages that it repeats from time to time.
func (s *stroll) repeat(h *host) {
	s.did("time passes at %s", h.id)
	c := &h.core.viewChange
	if !c.resendAt.IsZero() {
		c.resendAt = s.g.now
	}
	c.repeatVoteAt = s.g.now
	h.core.Step(s.g.now, &Tick{})
	s.g.heartbeat(h)
}

// forget expires other members' votes at a member, and perhaps their liveness too.
func (s *stroll) forget(h *host) {
	for _, i := range h.core.others {
		silent, lapsed := s.rnd.IntN(2) == 0, s.rnd.IntN(2) == 0
		if silent {
			h.core.heardAt[i] = time.Time{}
		}
		if silent || lapsed {
			h.core.viewChange.votes[i] = time.Time{}
		}
	}
	s.did("%s has not heard others lately", h.id)
}

// inScope reports whether no member has entered a view outside the scope.
func (s *stroll) inScope() bool {
	return !slices.ContainsFunc(s.g.hosts, func(h *host) bool { return int(h.core.head.View) >= s.x.scope.views })
}

// reduced returns a copy of the group in which the saves are complete that the exploration always
// completes.
func (s *stroll) reduced() *testGroup {
	g := newTestGroup(s.x.scope.replicas)
	g.config, g.history = s.g.config, newHistory()
	for i, h := range s.g.hosts {
		g.hosts[i] = h.cloned(&g.config)
	}
	for i, h := range g.hosts {
		for s.crashes[i] == 0 && len(h.unsaved) > 0 || h.tookMuted() {
			g.saved(h, 1)
		}
	}
	return g
}

// tookMuted reports whether the member may have accepted a message that, in the exploration, waits
// until the head is saved.
func (h *host) tookMuted() bool {
	s := &h.core.saves
	return s.headSeq > s.doneSeq && (!h.core.isNextPrimary() || len(h.unsaved) > 1)
}

// world returns the world of a reduced copy of the group.
func (s *stroll) world(g *testGroup) (w world, err error) {
	x := s.x
	e := shared{canon: s.canon, ops: uint8(s.ops)}
	for i, h := range g.hosts {
		var led [maxViews]uint64
		for at, l := range s.g.history.leaders {
			if l.index == h.index {
				led[at.View] = l.start
			}
		}
		p, err := x.place(h, led, uint8(s.crashes[i]))
		if err != nil {
			return w, err
		}
		mail := slices.Clone(s.mail[i])
		for _, m := range g.transit {
			if int(m.to) == i {
				mail = x.withMessage(mail, m)
			}
		}
		w.seats[i] = x.seat(p, mail)
		if e.canon, err = x.longer(e.canon, p.committed); err != nil {
			return w, err
		}
	}
	w.shared = x.shared(e)
	return w, nil
}

// covered reports in which way no explored world covers a world.
func (s *stroll) covered(e explored) error {
	g := s.reduced()
	if g.broken != nil {
		return g.broken
	}
	w, err := s.world(g)
	if err != nil {
		return err
	}
	all := e[s.x.bodies(&w)]
	if slices.ContainsFunc(all, func(o world) bool { return s.plainlyCovers(&o, &w) }) {
		return nil
	}
	return fmt.Errorf("not covered by any of %d worlds with the same bodies:\n%s", len(all), s.lacking(&w, all))
}

// plainlyCovers is a simple version of explorer.covers.
func (s *stroll) plainlyCovers(a, b *world) bool {
	for i := range s.x.scope.replicas {
		at, bt := s.x.seats[a.seats[i]], s.x.seats[b.seats[i]]
		for _, m := range bt.mail {
			if !slices.Contains(at.mail, m) {
				return false
			}
		}
		for j := range at.place.starts {
			if at.place.starts[j] > bt.place.starts[j] {
				return false
			}
		}
	}
	e, f := s.x.shares[a.shared], s.x.shares[b.shared]
	committed, known := s.x.histories.all[f.canon], s.x.histories.all[e.canon]
	return (e.ops == f.ops || int(f.ops) == s.x.scope.ops) && slices.Equal(committed, known[:min(len(known), len(committed))])
}

// lacking describes the state of each member of a world, the messages that may reach it there, and
// in how many of the others they may not.
func (s *stroll) lacking(w *world, others []world) string {
	var b strings.Builder
	for i := range s.x.scope.replicas {
		t := s.x.seats[w.seats[i]]
		fmt.Fprintf(&b, "%s: %s, starts heard %v\n", t.place.host.id, stateText(t.place.host.core), t.place.starts)
		for _, id := range t.mail {
			lack := 0
			for _, o := range others {
				if !slices.Contains(s.x.seats[o.seats[i]].mail, id) {
					lack++
				}
			}
			m := s.x.messages[id]
			fmt.Fprintf(&b, "\t%s of start %d, lacking in %d\n", messageText(m.message), m.header.Start, lack)
		}
	}
	return b.String()
}
