package vsr

import (
	"fmt"
	"slices"
)

// seat is a member's place, and the messages that may still reach it, now or later, again or never.
type seat struct {
	place    *place
	mail     []uint32 // rising
	bits     []uint64 // the same
	steps    []step
	talks    []*next // what does not change the place
	explored bool    // steps and talks are there
}

// step is a next, with the seat that the member then has.
type step struct {
	*next
	seat uint32
}

// seat returns the number of a seat. Messages that change nothing there any more, whatever happens, are left out.
func (x *explorer) seat(p *place, mail []uint32) uint32 {
	kept := slices.DeleteFunc(slices.Clone(mail), func(m uint32) bool { return x.leavesOut(p, m) })
	id, isNew := x.seatIDs.of(numbersText(p.id) + numbersText(kept...))
	if isNew {
		x.seats = append(x.seats, &seat{place: p, mail: kept, bits: bitsOf(kept)})
	}
	return id
}

// leavesOut reports whether a message is ignored, and notes that it was there: see checkIgnored.
func (x *explorer) leavesOut(p *place, m uint32) bool {
	if !ignores(p, x.messages[m]) {
		return false
	}
	p.ignored[m] = true
	return true
}

// ignores reports whether a message changes nothing at a member any more, now or after any crash: it is of a view that the
// disk is past (that it would be answered with the view's name says nothing new), or that has begun when no crash follows.
// (It would raise the start number known of its sender: then earlier messages are ignored, as if they were lost.)
func ignores(p *place, m *sent) bool {
	r := p.host.core
	v, last := p.host.disk.head.View, p.crashes == 0
	if last {
		v = r.head.View
		if m.header.Start < p.starts[m.from] {
			return true
		}
	}
	begun, from := last && r.status == normal, m.from
	switch m := m.message.(type) {
	case *Prepare: // the same has been acknowledged
		return m.View < v || m.View == v && begun && !r.isPrimary() && m.Prev.Op+OpNumber(len(m.Entries)) <= r.checked && m.Commit <= r.commit
	case *Commit:
		return m.View < v || m.View == v && begun && m.Commit <= r.commit
	case *PrepareOK: // a primary that restarts leads its view no more
		return m.View < r.head.View || m.View == v && (r.viewChange.barred || r.isPrimary() && m.Op <= r.primary.progress[from].match)
	case *StartViewChange:
		return m.View < v || m.View == v && last && r.isPrimary()
	case *Gap: // of its own view: where to send from, and all is sent anyway
		return m.View <= v
	case *DoViewChange:
		return m.View < v || m.View == v && (r.isPrimary() || r.viewChange.barred)
	case *GetState:
		return m.View < v || m.View == v && begun
	case *NewState:
		return m.View < v || m.View == v && begun
	}
	return false
}

// steps returns all that can happen at a seat and changes its place.
func (x *explorer) steps(id uint32) ([]step, error) {
	s := x.seats[id]
	if s.explored {
		return s.steps, nil
	}
	own, err := x.ownNexts(s.place)
	if err != nil {
		return nil, err
	}
	arrived, err := x.mailNexts(s.place, s.mail)
	if err != nil {
		return nil, err
	}
	for _, n := range slices.Concat(own, arrived) { // one of those that lead to the same
		if n.to == s.place {
			s.talks = append(s.talks, n)
			continue
		}
		if n.to.rank <= s.place.rank && n.to.body != s.place.body {
			return nil, fmt.Errorf("the rank does not rise: %s then %s", stateText(s.place.host.core), stateText(n.to.host.core))
		}
		st := step{n, x.seat(n.to, s.mail)}
		if !slices.ContainsFunc(s.steps, st.isSame) {
			s.steps = append(s.steps, st)
		}
	}
	s.explored = true
	return s.steps, nil
}

// isSame reports whether both lead to the same.
func (st step) isSame(o step) bool { return st.seat == o.seat && st.posts == o.posts }

// receive returns the seat with more messages.
func (x *explorer) receive(id, list uint32) uint32 {
	if list == 0 {
		return id
	}
	key := uint64(id)<<32 | uint64(list)
	to, ok := x.received[key]
	if !ok {
		s := x.seats[id]
		mail := append(slices.Clone(s.mail), x.mails.all[list]...)
		slices.Sort(mail)
		to = x.seat(s.place, slices.Compact(mail))
		x.received[key] = to
	}
	return to
}

// normalMessage leaves out of a message what a place in normal form takes no notice of: nil if that is all of it.
func (x *explorer) normalMessage(m *sent) *sent {
	switch y := m.message.(type) {
	case *Commit:
		c := *y
		c.Keep, c.Round = 0, 0
		return &sent{m.from, m.to, m.header, &c}
	case *CommitOK: // makes the primary send again, and all is sent anyway
		return nil
	case *Outdated: // stops one whose directory is an older copy: there is none
		return nil
	case *Gap: // as above, or it names a view: see speak
		return x.naming(m, y.View)
	case *DoViewChange:
		if x.config.Members.prim(y.View) != m.to {
			return x.naming(m, y.View)
		}
	}
	return m
}

// naming returns what names a view to one that is not its primary. From one that is not either it is nil: its vote, which it
// says at any time, leads to the same.
func (x *explorer) naming(m *sent, v View) *sent {
	if x.config.Members.prim(v) != m.from {
		return nil
	}
	return &sent{m.from, m.to, m.header, &Gap{View: v}}
}

// messageNumber returns the number of a message in normal form; none if nothing is left of it.
func (x *explorer) messageNumber(m *sent) (id uint32, ok bool) {
	normal := x.normalMessage(m)
	if normal != nil {
		m = normal
	}
	id, isNew := x.messageIDs.of(identity(m))
	if isNew {
		x.messages = append(x.messages, m)
	}
	return id, normal != nil
}

// posts returns the number of what was sent: for each receiver a list of messages.
func (x *explorer) posts(all []*sent) uint32 {
	if len(all) == 0 {
		return 0
	}
	to := make([][]uint32, x.scope.replicas)
	for _, m := range all {
		if id, ok := x.messageNumber(m); ok {
			to[m.to] = append(to[m.to], id)
		}
	}
	post := make([]uint32, len(to))
	for i := range to {
		slices.Sort(to[i])
		post[i] = x.mails.of(slices.Compact(to[i]))
	}
	return x.posted.of(post)
}
