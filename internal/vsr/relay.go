package vsr

import "time"

// Messages through another member (X6). If the link between a backup and the primary
// is cut, in one direction or both, and a third member reaches both, then requests, reads and
// entries go through that member. The backup begins this: only a backup notices that it no longer
// receives the primary's messages, or learns from a heartbeat that the primary does not receive its own.

// relays is what a replica knows of the ways to other members.
type relays struct {
	directAt []time.Time // by member: when a message of it last came without a relay; zero if none has
	via      []Index     // by member: the relay of messages to it; the member itself without a relay
	until    []time.Time // at the primary, by member: until when messages to it go through a relay too
	deaf     bool        // at a backup: it suspected the primary, and has not heard it without a relay since
	rotateAt time.Time   // at a backup that the primary does not hear: when another relay is tried
	// answersSince is when this replica, as a backup, began to hear the primary without long gaps, and to
	// answer it.
	answersSince time.Time
}

func newRelays(n int) relays {
	w := relays{directAt: make([]time.Time, n), via: make([]Index, n), until: make([]time.Time, n)}
	for i := range w.via {
		w.via[i] = Index(i)
	}
	return w
}

// heardDirectly records that a message of a member came without a relay.
func (r *Replica) heardDirectly(from Index) {
	r.relays.directAt[from] = r.now
	if from == r.prim() {
		r.relays.deaf = false
	}
}

// onRelay passes a message on to its addressee, or takes it as if its sender had sent it without a
// relay (X6). A relay never answers, and never passes on what another relay has.
func (r *Replica) onRelay(from Index, h Header, m *Relay) {
	switch w := &r.relays; {
	case int(m.From) >= r.n || int(m.To) >= r.n || m.From == r.self:
	case m.To != r.self:
		if m.From == from && m.To != from && r.saves.identitySeq <= r.saves.doneSeq {
			r.sendTo(m.To, &Relay{From: from, To: m.To, Unheard: m.Unheard, Sender: h, Message: m.Message})
		}
	case m.From != from && r.admit(m.From, m.Sender, m.Message):
		r.heardAt[m.From], w.via[m.From] = r.now, from
		if m.Unheard {
			w.until[m.From] = r.now.Add(2 * r.cfg.Abdication)
		}
		r.handle(m.From, m.Sender, m.Message)
	}
}

// relayTo returns the relay of messages to a member; the member itself if they need none.
func (r *Replica) relayTo(to Index) Index {
	w := &r.relays
	switch {
	case r.status == recovering || r.n < 3:
	case r.isPrimary() && r.now.Before(w.until[to]):
		return w.via[to]
	case to == r.prim() && to != r.self && (w.deaf || r.unheard()):
		return w.via[to]
	}
	return to
}

// unheard reports whether the primary, according to its latest heartbeat, does not hear this
// replica, or only through a relay.
func (r *Replica) unheard() bool {
	if r.isPrimary() || r.health.reports == nil {
		return false
	}
	return r.health.reports[r.self].Relayed || r.unreceived()
}

// unreceived reports whether the primary, according to its latest reports, has received nothing of this
// replica although it has answered heartbeats for a while. A silence from before proves nothing: this
// replica was not there, or did not hear the primary.
func (r *Replica) unreceived() bool {
	h := &r.health
	return h.reports[r.self].Silent > r.cfg.Abdication && h.reportedAt.Sub(r.relays.answersSince) > r.lapse()
}

// hearsByRelay reports whether this primary hears a member through a relay only.
func (r *Replica) hearsByRelay(i Index) bool {
	return r.relays.via[i] != i && r.now.Sub(r.relays.directAt[i]) > r.cfg.Abdication
}

// askForRelay makes a backup whose votes have not sufficed try to reach the primary of its view through
// another member (X6). By then, members that suspect the primary too have had time to leave the view.
func (r *Replica) askForRelay() {
	if r.prim() == r.self || r.n < 3 {
		return
	}
	if !r.relays.deaf {
		r.relays.deaf = true
		r.resendRequests() // the earlier attempts are lost
	}
	r.rotateRelay()
	r.sendTo(r.prim(), &CommitOK{View: r.head.View, Op: r.checked, Applied: r.applied})
}

// tryRelay makes a backup that the primary does not hear try another relay.
func (r *Replica) tryRelay() {
	if w := &r.relays; r.n >= 3 && r.unreceived() && !r.now.Before(w.rotateAt) {
		w.rotateAt = r.now.Add(r.cfg.Abdication)
		r.rotateRelay()
		r.resendRequests() // the earlier attempts are lost
	}
}

// rotateRelay makes the next member the relay of messages to the primary.
func (r *Replica) rotateRelay() {
	to := r.prim()
	via := &r.relays.via[to]
	for {
		*via = (*via + 1) % Index(r.n)
		if *via != to && *via != r.self {
			return
		}
	}
}

// flushRelays sends the messages of this turn to members that need a relay through it too.
func (r *Replica) flushRelays() {
	for _, out := range r.out.Messages {
		if !KindOf(out.Message).Relayed() {
			continue
		}
		for _, to := range out.To {
			if via := r.relayTo(to); via != to {
				m := &Relay{From: r.self, To: to, Unheard: r.relays.deaf, Sender: r.Header(), Message: out.Message}
				r.out.Messages = append(r.out.Messages, Outgoing{To: r.all[via : via+1 : via+1], Message: m})
			}
		}
	}
}
