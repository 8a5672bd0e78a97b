package vsr

import "slices"

// event is something that happens at one member.
type event struct {
	kind    eventKind
	n       int       // of saved and crash: saves that are durable; of propose: which operation
	message uint32    // of deliver
	votes   [2]uint32 // of leave: messages + 1
	last    bool      // of crash: no other follows
	silent  uint8     // members that have not been heard lately, when a successor is chosen
}

type eventKind uint8

const (
	deliver eventKind = iota
	saved
	crash   // and start
	survive // the last crash was elsewhere
	leave   // suspect, and receive votes
	propose
)

// next is what an event leads to.
type next struct {
	event event
	to    *place
	posts uint32 // identity of the messages sent
}

// ownNexts returns what can happen at a place of itself.
func (x *explorer) ownNexts(p *place) ([]next, error) {
	if p.own != nil {
		return p.own, nil
	}
	p.own = []next{}
	for _, ev := range x.events(p) {
		all, err := x.nexts(p, ev)
		if err != nil {
			return nil, err
		}
		p.own = append(p.own, all...)
	}
	return p.own, nil
}

// events returns what can happen at a place without a message.
func (x *explorer) events(p *place) (all []event) {
	r := p.host.core
	if len(p.host.unsaved) > 0 {
		all = append(all, event{kind: saved, n: 1})
	}
	for n := 0; n <= len(p.host.unsaved) && !p.last; n++ {
		all = append(all, event{kind: crash, n: n}, event{kind: crash, n: n, last: true})
	}
	if !r.isPrimary() {
		return all
	}
	for n := range x.scope.ops {
		all = append(all, event{kind: propose, n: n + 1})
	}
	return all
}

// mailNexts returns what messages lead to at a place.
func (x *explorer) mailNexts(p *place, mail []uint32) (all []next, err error) {
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

// arrivals returns the events that messages are. While a backup's view or start is being saved, and so all it says is held
// back, messages wait: what they would lead to they lead to after the save too.
func (x *explorer) arrivals(p *place, mail []uint32) (all []event) {
	r := p.host.core
	if r.saves.head > r.saves.done && !r.isPrimary() && !r.leads() {
		return nil
	}
	var votes []uint32
	for _, id := range mail {
		if m, ok := x.messages[id].message.(*StartViewChange); ok && m.View == r.head.View {
			votes = append(votes, id)
			continue
		}
		all = append(all, event{kind: deliver, message: id})
	}
	if r.isPrimary() { // never suspects itself
		return all
	}
	return append(all, x.leaves(votes)...)
}

// leaves returns the ways to leave a view with votes of others: Qv-1 of them, all at once.
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

// nexts returns what an event leads to: where a successor is chosen by who was heard lately, with any members silent.
func (x *explorer) nexts(p *place, ev event) ([]next, error) {
	var all []next
	for silent := range uint8(1 << x.scope.replicas) {
		if silent > 0 && !x.chooses(ev) {
			break
		}
		ev.silent = silent
		to, sent, err := x.happen(p, ev, nil)
		if err != nil {
			return nil, &brokenAt{ev, p, err}
		}
		if to == nil {
			continue
		}
		n := next{ev, to, x.posts(append(sent, to.said...))}
		same := func(o next) bool { return o.to == n.to && o.posts == n.posts }
		if (to != p || n.posts != 0) && !slices.ContainsFunc(all, same) {
			all = append(all, n)
		}
	}
	return all, nil
}

// chooses reports whether a view may be chosen by who was heard lately.
func (x *explorer) chooses(ev event) bool {
	switch ev.kind {
	case leave:
		return true
	case deliver:
		_, vote := x.messages[ev.message].message.(*StartViewChange)
		return vote
	}
	return false
}
