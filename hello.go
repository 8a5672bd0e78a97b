package smr

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/smr-go/smr/internal/vsr"
)

// The greeting on a new connection, little-endian; it must be understood by all versions:
//
//	version 1 | group id 16 | incarnation 16 | start number 8 | confirmed 1 | name length 1, name |
//	the member list as configured, for a person to read
const helloVersion = 1

// greeting is what members tell each other of themselves before any message (S2, S4, S6).
type greeting struct {
	group       vsr.GroupID
	incarnation vsr.Incarnation
	start       uint64
	confirmed   bool
	name        string // of the group, as configured
	list        string // the members as configured
}

func (g *greeting) encode() []byte {
	b := append([]byte{helloVersion}, g.group[:]...)
	b = append(b, g.incarnation[:]...)
	b = binary.LittleEndian.AppendUint64(b, g.start)
	confirmed := byte(0)
	if g.confirmed {
		confirmed = 1
	}
	b = append(b, confirmed, byte(len(g.name)))
	return append(append(b, g.name...), g.list...)
}

func parseHello(b []byte) (g greeting, err error) {
	if len(b) > 0 && b[0] != helloVersion {
		return g, fmt.Errorf("it speaks version %d of the protocol, this replica %d; run the same version of smr on all", b[0], helloVersion)
	}
	const fixed = 1 + 16 + 16 + 8 + 1 + 1
	if len(b) < fixed || len(b) < fixed+int(b[fixed-1]) {
		return g, fmt.Errorf("its greeting has %d bytes and does not parse", len(b))
	}
	copy(g.group[:], b[1:])
	copy(g.incarnation[:], b[17:])
	g.start = binary.LittleEndian.Uint64(b[33:])
	g.confirmed = b[41] == 1
	g.name = string(b[fixed : fixed+int(b[fixed-1])])
	g.list = string(b[fixed+len(g.name):])
	return g, nil
}

// greeter greets other members and judges their greetings, for the transport. The loop tells it
// what this replica is; transports call it at any time.
type greeter struct {
	mu      sync.Mutex
	own     greeting
	members vsr.Membership
	starts  map[vsr.Incarnation]uint64 // highest start number greeted with
	differs func(from ID, list string) // told of a member with another list
}

// update says what this replica is now.
func (h *greeter) update(s *vsr.State) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.own.group, h.own.incarnation, h.own.start = s.Head.Group, s.Head.Incarnation, s.Head.Start
	h.own.confirmed = s.Commit >= 1 || s.Last.Op > 1
	h.members = s.Members
}

func (h *greeter) hello() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.own.encode()
}

// check says whether to talk to a member that greeted so.
func (h *greeter) check(from ID, hello []byte) error {
	theirs, err := parseHello(hello)
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
	if theirs.group != none && theirs.group == own.group { // of a member: there are few
		h.starts[theirs.incarnation] = theirs.start
	}
	return nil
}

func (h *greeter) names(id ID, inc vsr.Incarnation) bool {
	for i := range h.members.Members {
		if m := &h.members.Members[i]; m.ID == string(id) {
			return m.Incarnation == inc
		}
	}
	return false
}
