package vsr

import (
	"fmt"
	"slices"
)

// seat is a member's place together with the messages that may still reach it, any number of times
// or never.
type seat struct {
	place    *place
	mail     []uint32 // rising
	bits     []uint64 // mail as a set of bits
	steps    []step
	talks    []*next // results that do not change the place
	explored bool    // steps and talks are complete
}

// step is the result of an event together with the seat to which it leads.
type step struct {
	*next
	seat uint32
}

// seat returns the number of a seat, without the messages that can no longer change anything there.
func (x *explorer) seat(p *place, mail []uint32) uint32 {
	kept := slices.DeleteFunc(slices.Clone(mail), func(m uint32) bool { return x.leavesOut(p, m) })
	id, isNew := x.seatIDs.of(numbersText(p.id) + numbersText(kept...))
	if isNew {
		x.seats = append(x.seats, &seat{place: p, mail: kept, bits: bitsOf(kept)})
	}
	return id
}

// leavesOut reports whether a message is ignored, and records it for checkIgnored.
func (x *explorer) leavesOut(p *place, m uint32) bool {
	if !ignores(p, x.messages[m]) {
		return false
	}
	p.ignored[m] = true
	return true
}

// ignores reports whether a message can no longer change anything at a member, now or after any
// crash. That holds if its view is older than the view on disk, since an answer that names the
// current view adds nothing new, and if its view has begun and no crash can follow. (The message
// would raise the sender's known start number, after which earlier messages are dropped, as if they
// were lost.)
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
	case *Prepare: // the same entries have been acknowledged
		return m.View < v || m.View == v && begun && !r.isPrimary() && m.Prev.Op+OpNumber(len(m.Entries)) <= r.checked && m.Commit <= r.commit
	case *Commit:
		return m.View < v || m.View == v && begun && m.Commit <= r.commit
	case *PrepareOK: // a primary that restarts never leads its view again
		return m.View < r.head.View || m.View == v && (r.viewChange.barred || r.isPrimary() && m.Op <= r.primary.progress[from].match)
	case *StartViewChange:
		return m.View < v || m.View == v && last && r.isPrimary()
	case *Gap: // in its own view it moves the place to send from, and every place is sent from anyway
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

// steps returns the results of every event that can happen at a seat and change its place.
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
	for _, n := range slices.Concat(own, arrived) { // only one of several with the same result
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

// isSame reports whether two steps have the same result.
func (st step) isSame(o step) bool { return st.seat == o.seat && st.posts == o.posts }

// receive returns the seat with additional messages.
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

// normalMessage removes from a message the fields that a place in normal form ignores. It returns
// nil if nothing is left.
func (x *explorer) normalMessage(m *sent) *sent {
	switch y := m.message.(type) {
	case *Commit:
		c := *y
		c.Keep, c.Round, c.Withdrawn, c.Acknowledged, c.Reports = 0, 0, 0, nil, nil
		return &sent{m.from, m.to, m.header, &c}
	case *StartViewChange: // no vote counts as withdrawn here, so any may arrive late
		c := *y
		c.Vote = 1
		return &sent{m.from, m.to, m.header, &c}
	case *CommitOK: // makes the primary resend, and everything is sent anyway
		return nil
	case *Relay: // its message is sent directly too, and arrives at any time
		return nil
	case *Outdated: // stops a member whose directory is an older copy, which no member has here
		return nil
	case *Gap: // see above; or it names a view: see speak
		return x.naming(m, y.View)
	case *DoViewChange:
		if x.config.Members.prim(y.View) != m.to {
			return x.naming(m, y.View)
		}
		return &sent{m.from, m.to, m.header, withoutMemories(y)}
	}
	return m
}

// naming returns the message that names a view to a member that is not its primary. It is nil if
// the sender is not its primary either: the sender's vote, which may be sent at any time, has the
// same effect.
func (x *explorer) naming(m *sent, v View) *sent {
	if x.config.Members.prim(v) != m.from {
		return nil
	}
	return &sent{m.from, m.to, m.header, &Gap{View: v}}
}

// messageNumber returns the number of a message in normal form, or none if nothing is left of it.
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

// posts returns the number of a set of sent messages: a list of messages for each receiver.
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
