package vsr

import "slices"

// event is an event at one member.
type event struct {
	kind    eventKind
	n       int       // of saved and crash: number of saves that are durable; of propose: which operation
	message uint32    // of deliver
	votes   [2]uint32 // of leave: messages + 1
	silent  uint8     // members that have not been heard from lately, when a successor is chosen
}

type eventKind uint8

const (
	deliver eventKind = iota
	saved
	crash // and start
	leave // suspect, and receive votes
	propose
)

// next is the result of an event.
type next struct {
	event event
	to    *place
	posts uint32 // identity of the messages sent
}

// ownNexts returns the results of the events that can happen at a place without a message.
func (x *explorer) ownNexts(p *place) ([]*next, error) {
	if p.own != nil {
		return p.own, nil
	}
	p.own = []*next{}
	for _, ev := range x.events(p) {
		all, err := x.nexts(p, ev)
		if err != nil {
			return nil, err
		}
		p.own = append(p.own, all...)
	}
	return p.own, nil
}

// events returns the events that can happen at a place without a message.
func (x *explorer) events(p *place) (all []event) {
	r := p.host.core
	if len(p.host.unsaved) > 0 {
		all = append(all, event{kind: saved, n: 1})
	}
	for n := 0; n <= len(p.host.unsaved) && p.crashes > 0; n++ {
		all = append(all, event{kind: crash, n: n})
	}
	if !r.isPrimary() {
		return all
	}
	for n := range x.scope.ops {
		all = append(all, event{kind: propose, n: n + 1})
	}
	return all
}

// mailNexts returns the results of messages at a place.
func (x *explorer) mailNexts(p *place, mail []uint32) (all []*next, err error) {
	for _, ev := range x.arrivals(p, mail) {
		nexts, ok := p.mail[ev]
		if !ok {
			if nexts, err = x.nexts(p, ev); err != nil {
				return nil, err
			}
			p.mail[ev] = nexts
		}
		all = append(all, nexts...)
	}
	return all, nil
}

// arrivals returns the events by which messages arrive. While a view or a start is being saved,
// messages wait. The exceptions are the DoViewChanges among which a designated primary will choose
// once the save is done, because afterwards the first of them make it lead.
func (x *explorer) arrivals(p *place, mail []uint32) (all []event) {
	r := p.host.core
	muted := r.saves.headSeq > r.saves.doneSeq
	var votes []uint32
	for _, id := range mail {
		switch m := x.messages[id].message.(type) {
		case *StartViewChange:
			if m.View == r.head.View {
				votes = append(votes, id)
				continue
			}
		case *DoViewChange:
			if muted && m.View == r.head.View && r.isNextPrimary() {
				all = append(all, event{kind: deliver, message: id})
			}
		}
		if !muted {
			all = append(all, event{kind: deliver, message: id})
		}
	}
	if muted || r.isPrimary() { // a primary never suspects itself
		return all
	}
	return append(all, x.leaves(votes)...)
}

// leaves returns the ways to leave a view with the votes of Qv-1 other members, which arrive all at
// once.
func (x *explorer) leaves(votes []uint32) (all []event) {
	for i, a := range votes {
		if x.config.Members.Qv == 2 {
			all = append(all, event{kind: leave, votes: [2]uint32{a + 1}})
			continue
		}
		for _, b := range votes[i+1:] {
			if x.messages[a].from != x.messages[b].from {
				all = append(all, event{kind: leave, votes: [2]uint32{a + 1, b + 1}})
			}
		}
	}
	return all
}

// nexts returns the results of an event. If the successor depends on which members were heard from
// lately, it tries every set of silent members.
func (x *explorer) nexts(p *place, ev event) ([]*next, error) {
	var all []*next
	heard := x.heardIn(ev) | 1<<p.host.index
	for silent := range uint8(1 << x.scope.replicas) {
		if silent&heard != 0 {
			continue
		}
		ev.silent = silent
		to, sent, err := x.happen(p, ev, nil)
		if err != nil {
			return nil, &brokenAt{ev, p, err}
		}
		if to == nil {
			continue
		}
		n := &next{ev, to, x.posts(append(sent, to.said...))}
		same := func(o *next) bool { return o.to == n.to && o.posts == n.posts }
		if (to != p || n.posts != 0) && !slices.ContainsFunc(all, same) {
			all = append(all, n)
		}
	}
	return all, nil
}

// heardIn returns the members that were heard from lately in an event: all of them if the event
// chooses no view by that.
func (x *explorer) heardIn(ev event) (set uint8) {
	switch ev.kind {
	case leave:
		for _, v := range ev.votes {
			if v > 0 {
				set |= 1 << x.messages[v-1].from
			}
		}
		return set
	case deliver:
		if m := x.messages[ev.message]; isVote(m) {
			return 1 << m.from
		}
	}
	return 1<<maxMembers - 1
}

func isVote(m *sent) bool {
	_, ok := m.message.(*StartViewChange)
	return ok
}
