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
	"sync"

	"github.com/smr-go/smr/internal/vsr"
)

// Greeter greets other members and checks their greetings. Its methods may be called concurrently.
type Greeter struct {
	differs func(from, list string)

	mu      sync.Mutex
	own     greeting
	members vsr.Membership
	starts  map[vsr.Incarnation]uint64 // the highest start number of each member's greetings
}

// NewGreeter returns the greeter of a replica that is configured with the group's name and the list of
// its members. It calls differs when a member greets with another list; differs must not block and
// must not call the greeter.
func NewGreeter(name, list string, differs func(from, list string)) *Greeter {
	return &Greeter{own: greeting{name: name, list: list}, differs: differs, starts: map[vsr.Incarnation]uint64{}}
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
	own := &h.own
	var none vsr.GroupID
	switch {
	case theirs.name != own.name:
		return fmt.Errorf("it is configured for group %q, this replica for %q", theirs.name, own.name)
	case theirs.list != own.list && !(own.confirmed && theirs.confirmed):
		h.differs(from, theirs.list)
		return fmt.Errorf("it is configured with the members %s, this replica with %s; configure all alike", theirs.list, own.list)
	case theirs.group != own.group && theirs.group != none && own.group != none:
		return fmt.Errorf("it holds group %v, this replica holds group %v: they were formed apart; one of the directories is of another group", theirs.group, own.group)
	case theirs.start < h.starts[theirs.incarnation]:
		return fmt.Errorf("it says start number %d, and has greeted with %d before: its directory is an older copy, or in use twice", theirs.start, h.starts[theirs.incarnation])
	case theirs.group != none && theirs.group == own.group && !h.names(from, theirs.incarnation):
		return fmt.Errorf("its memory %v is not the one that the group knows as %q", theirs.incarnation, from)
	}
	if theirs.group != none && theirs.group == own.group { // only members get here, so starts stays small
		h.starts[theirs.incarnation] = theirs.start
	}
	return nil
}

// names reports whether the group knows the member id by this incarnation.
func (h *Greeter) names(id string, inc vsr.Incarnation) bool {
	for i := range h.members.Members {
		if m := &h.members.Members[i]; m.ID == id {
			return m.Incarnation == inc
		}
	}
	return false
}
