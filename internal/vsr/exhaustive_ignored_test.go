package vsr

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// checkIgnored delivers messages that the exploration leaves out because they change nothing, and
// checks that they do change nothing. It tries about the given number of pairs of a place and a
// message.
func checkIgnored(t *testing.T, x *explorer, pairs int) {
	places, messages := slices.Clone(x.places), uint32(len(x.messages))
	step := max(1, len(places)*int(messages)/x.scope.replicas/2/pairs)
	seen, delivered := 0, 0
	for _, p := range places {
		for id := range messages {
			if m := x.messages[id]; m.to != p.host.index || !p.ignored[id] && !x.changesNothing(p, m) {
				continue
			}
			if seen++; seen%step == 0 {
				require.NoError(t, x.deliverIgnored(p, id))
				delivered++
			}
		}
	}
	t.Logf("%d messages of %d that are said to change nothing do change nothing", delivered, seen)
}

// changesNothing reports whether the exploration assumes that a message changes nothing at a place,
// even if that message never reaches it: because the message's view is over, or because the message
// is always left out.
func (x *explorer) changesNothing(p *place, m *sent) bool {
	switch y := m.message.(type) {
	case *CommitOK:
		return true
	case *Outdated: // no member knows a later start of the receiver than its own
		return y.Start <= p.host.core.head.Start
	case *Gap:
		return y.View <= p.host.core.head.View
	}
	v, _ := claimedView(m.message)
	return v < p.host.disk.head.View || v < p.host.core.head.View && p.crashes == 0
}

// deliverIgnored returns an error if a message changes more than the known start numbers, or
// produces an answer that the member would not send anyway.
func (x *explorer) deliverIgnored(p *place, id uint32) error {
	m := x.messages[id]
	to, sent, err := x.happen(p, event{kind: deliver, message: id}, nil)
	if err != nil {
		return fmt.Errorf("%s, at %s in %s: %w", messageText(m.message), p.host.id, stateText(p.host.core), err)
	}
	if to == nil || to.body != p.body {
		return fmt.Errorf("%s of start %d changes %s in %s", messageText(m.message), m.header.Start, p.host.id, stateText(p.host.core))
	}
	for _, answer := range sent {
		if n := x.normalMessage(answer); n != nil && !x.saysAnyway(p, n) {
			return fmt.Errorf("%s is answered by %s in %s with %s", messageText(m.message), p.host.id, stateText(p.host.core), messageText(n.message))
		}
	}
	return nil
}

// saysAnyway reports whether a place sends a message at any time, or has acknowledged the same
// before.
func (x *explorer) saysAnyway(p *place, m *sent) bool {
	if ok, is := m.message.(*PrepareOK); is {
		return *ok == PrepareOK{p.host.core.head.View, p.host.core.checked}
	}
	return slices.ContainsFunc(p.said, func(s *sent) bool { return identity(x.normalMessage(s)) == identity(m) })
}
