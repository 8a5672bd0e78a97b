package vsr

import "slices"

// seat is a member's place, and the messages that may still reach it, now or later, again or never.
type seat struct {
	place    *place
	mail     []uint32 // rising
	bits     []uint64 // the same
	steps    []step
	survived *step
	explored bool // steps are there
}

// step is a next, with the seat that the member then has.
type step struct {
	next
	seat uint32
}

// seat returns the number of a seat. Messages that change nothing there any more, whatever happens, are left out.
func (x *explorer) seat(p *place, mail []uint32) uint32 {
	kept := slices.DeleteFunc(slices.Clone(mail), func(m uint32) bool { return ignores(p, x.messages[m]) })
	id, isNew := x.seatIDs.of(numbersText(p.id) + numbersText(kept...))
	if isNew {
		x.seats = append(x.seats, &seat{place: p, mail: kept, bits: bitsOf(kept)})
	}
	return id
}

// ignores reports whether a message changes nothing at a member any more, now or after any crash: it is of a view that the
// disk is past, or that has begun when no crash follows. (It would raise the start number known of its sender: then earlier
// messages are ignored, as if they were lost.)
func ignores(p *place, m *sent) bool {
	r := p.host.core
	v := p.host.disk.head.View
	if p.last {
		v = r.head.View
		if m.header.Start < r.starts[m.from] {
			return true
		}
	}
	begun := p.last && r.status == normal
	switch m := m.message.(type) {
	case *Prepare: // the same has been acknowledged
		return m.View == v && begun && !r.isPrimary() && m.Prev.Op+OpNumber(len(m.Entries)) <= r.checked && m.Commit <= r.commit
	case *PrepareOK:
		return m.View < v
	case *StartViewChange:
		return m.View < v
	case *Gap: // of its own view: where to send from, and all is sent anyway
		return m.View <= v
	case *DoViewChange:
		return m.View < v || m.View == v && (r.members.prim(v) != r.self || r.isPrimary() || r.change.barred)
	case *GetState:
		return m.View < v || m.View == v && begun
	case *NewState:
		return m.View < v || m.View == v && begun
	case *Outdated:
		return m.Start <= r.head.Start
	}
	return false
}

// steps returns all that can happen at a seat.
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
	for _, n := range slices.Concat(own, arrived) {
		s.steps = append(s.steps, step{n, x.seat(n.to, s.mail)})
	}
	s.explored = true
	return s.steps, nil
}

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
func normalMessage(m *sent) *sent {
	switch y := m.message.(type) {
	case *Commit:
		c := *y
		c.Keep, c.Round = 0, 0
		return &sent{m.from, m.to, m.header, &c}
	case *CommitOK: // makes the primary send again, and all is sent anyway
		return nil
	}
	return m
}

// posts returns the number of what was sent: for each receiver a list of messages.
func (x *explorer) posts(all []*sent) uint32 {
	if len(all) == 0 {
		return 0
	}
	to := make([][]uint32, x.scope.replicas)
	for _, m := range all {
		if m = normalMessage(m); m == nil {
			continue
		}
		id, isNew := x.messageIDs.of(identity(m))
		if isNew {
			x.messages = append(x.messages, m)
		}
		to[m.to] = append(to[m.to], id)
	}
	post := make([]uint32, len(to))
	for i := range to {
		slices.Sort(to[i])
		post[i] = x.mails.of(slices.Compact(to[i]))
	}
	return x.posted.of(post)
}
