// Package hello holds the greeting that members exchange on a new connection, before any message, and
// the rules by which one member refuses another (S2, S4, S6).
//
// The greeting belongs to the protocol and not to a transport: every transport with connections carries
// it as bytes. It is not part of internal/vsr, because safety does not depend on it (messages carry all
// that safety requires), and because transports call it at any time, from any goroutine. Its purpose is to
// name a machine that is set up wrongly, early and in the logs of both sides.
package hello

import (
	"fmt"
	"slices"
	"sync"

	"github.com/smr-go/smr/internal/vsr"
)

// Greeter greets other members and checks their greetings. Its methods may be called concurrently.
type Greeter struct {
	refused func(from, list, reason string)

	mu      sync.Mutex
	own     greeting
	members vsr.Membership
	starts  map[vsr.Incarnation]uint64 // the latest start number of each member's greetings
	why     map[string]string          // by member: why its latest greeting was refused; "" if it was not
}

// NewGreeter returns the greeter of a replica that is configured with the group's name and the list of
// its members. It calls refused when a member's greeting is refused for another reason than the one before, with the
// member's list if that differs; refused must not block and must not call the greeter.
func NewGreeter(name, list string, refused func(from, list, reason string)) *Greeter {
	return &Greeter{own: greeting{name: name, list: list}, refused: refused, starts: map[vsr.Incarnation]uint64{}, why: map[string]string{}}
}

// Update takes over the replica's group, memory and members from the core's state.
func (h *Greeter) Update(s *vsr.State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.own.group, h.own.incarnation, h.own.start = s.Head.Group, s.Head.Incarnation, s.Head.Start
	h.own.confirmed = s.Commit >= 1 || s.Last.Op > 1
	h.members = s.Members
}

// Hello returns the replica's present greeting.
func (h *Greeter) Hello() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.own.encode()
}

// Check returns why the replica must not talk to a member that sent this greeting, or nil.
func (h *Greeter) Check(from string, hello []byte) error {
	theirs, err := decode(hello)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	known, list, reason := h.member(from), "", ""
	if err = h.check(from, theirs, known); err != nil {
		reason = err.Error()
	}
	if theirs.list != h.own.list && !(h.own.confirmed && theirs.confirmed) {
		list = theirs.list
	}
	if known != nil && reason != h.why[from] {
		if h.why[from] = reason; reason != "" {
			h.refused(from, list, reason)
		}
	}
	return err
}

// check is Check for the decoded greeting of a member, or of a stranger if known is nil.
func (h *Greeter) check(from string, theirs greeting, known *vsr.Member) error {
	own := &h.own
	theirList, ownList := vsr.ListTexts(theirs.list, own.list)
	var none vsr.GroupID
	before, greeted := h.starts[theirs.incarnation]
	switch {
	case theirs.name != own.name:
		return fmt.Errorf("it is configured for group %q, this replica for %q", theirs.name, own.name)
	case known == nil:
		return fmt.Errorf("%q is not a member here: this replica is configured with the members %s, it with %s",
			from, ownList, theirList)
	case theirs.list != own.list && !(own.confirmed && theirs.confirmed):
		return fmt.Errorf("it is configured with the members %s, this replica with %s; configure all members alike", theirList, ownList)
	case theirs.group != own.group && theirs.group != none && own.group != none:
		return fmt.Errorf("it holds group %v, this replica holds group %v: they were formed separately; one of the directories belongs to another group", theirs.group, own.group)
	case greeted && theirs.start != before && !vsr.IsLaterStart(theirs.start, before):
		return fmt.Errorf("it reports start number %s, but has greeted with %s before: its directory is an older copy, or in use twice",
			vsr.StartText(theirs.start), vsr.StartText(before))
	case theirs.group != none && theirs.group == own.group && theirs.incarnation != known.Incarnation:
		return fmt.Errorf("its memory %v is not the one that the group knows as %q", theirs.incarnation, from)
	}
	if theirs.group != none && theirs.group == own.group { // only members get here, so starts stays small
		h.starts[theirs.incarnation] = theirs.start
	}
	return nil
}

// member returns the member with that ID, or nil.
func (h *Greeter) member(id string) *vsr.Member {
	i := slices.IndexFunc(h.members.Members, func(m vsr.Member) bool { return m.ID == id })
	if i < 0 {
		return nil
	}
	return &h.members.Members[i]
}
