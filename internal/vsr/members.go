package vsr

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Member is one member of a group.
type Member struct {
	ID          string
	Addr        string
	Role        uint8 // 0: voter
	Incarnation Incarnation
}

// Membership is the member list of an epoch with its quorums.
type Membership struct {
	Group   GroupID // zero in a configuration
	Epoch   Epoch
	Members []Member
	Qr, Qv  int // replication and view-change quorum; Qr + Qv > n
}

// MaxVoters is the largest number of voters of a group.
const MaxVoters = 7

// NewMembership returns the list of the first epoch, with the default quorums of section 1.
func NewMembership(members []Member) Membership {
	n := len(members)
	m := Membership{Epoch: 1, Members: members, Qr: (n + 1) / 2, Qv: n/2 + 1}
	if n == 2 {
		m.Qr = 2 // two copies of every entry
	}
	return m
}

// Rb is the smallest number of voters that intersects every view-change quorum.
func (m *Membership) Rb() int { return len(m.Members) - m.Qv + 1 }

// prim returns the primary of view v: views rotate through the electable voters in list order.
func (m *Membership) prim(v View) Index { return Index(uint64(v) % uint64(len(m.Members))) }

// viewOf returns the smallest view above v that member i leads.
func (m *Membership) viewOf(i Index, v View) View {
	for w := v + 1; ; w++ {
		if m.prim(w) == i {
			return w
		}
	}
}

// List returns, as text, the configuration that all members must share (S2). Questions and greetings
// carry it, and members compare it byte by byte; ListTexts makes it readable.
func (m *Membership) List() string {
	var b strings.Builder
	for _, x := range m.Members {
		fmt.Fprintf(&b, "%s(%d) ", x.ID, x.Role)
	}
	fmt.Fprintf(&b, "Qr=%d Qv=%d", m.Qr, m.Qv)
	return b.String()
}

// ListTexts returns two results of List that differ as errors show them: the IDs, and the quorums
// only if the IDs are the same.
func ListTexts(a, b string) (string, string) {
	readable := strings.NewReplacer("(0) Qr=", "; Qr=", "(0) ", ", ")
	a, b = readable.Replace(a), readable.Replace(b)
	idsA, _, _ := strings.Cut(a, "; Qr=")
	idsB, _, _ := strings.Cut(b, "; Qr=")
	if idsA == idsB {
		return a, b
	}
	return idsA, idsB
}

// append writes the group, the epoch, Qr, Qv and the count, then each member's ID, address, role and
// incarnation.
func (m *Membership) append(b []byte) []byte {
	b = append(b, m.Group[:]...)
	b = binary.AppendUvarint(b, uint64(m.Epoch))
	b = append(b, byte(m.Qr), byte(m.Qv), byte(len(m.Members)))
	for i := range m.Members {
		x := &m.Members[i]
		b = appendString(b, x.ID)
		b = appendString(b, x.Addr)
		b = append(b, x.Role)
		b = append(b, x.Incarnation[:]...)
	}
	return b
}

// Encode returns the encoding of the list in the body of op 1 and in snapshots.
func (m *Membership) Encode() []byte { return m.append(nil) }

var errMembership = errors.New("member list does not parse")

// DecodeMembership decodes the result of Encode and checks its bounds.
func DecodeMembership(b []byte) (m Membership, err error) {
	b = b[copy(m.Group[:], b):]
	epoch, n := binary.Uvarint(b)
	if n <= 0 || len(b) < n+3 {
		return m, errMembership
	}
	m.Epoch, m.Qr, m.Qv = Epoch(epoch), int(b[n]), int(b[n+1])
	count := int(b[n+2])
	b = b[n+3:]
	for range count {
		var x Member
		var ok1, ok2 bool
		x.ID, b, ok1 = cutString(b)
		x.Addr, b, ok2 = cutString(b)
		if !ok1 || !ok2 || len(b) < 1+len(x.Incarnation) {
			return m, errMembership
		}
		x.Role = b[0]
		b = b[1+copy(x.Incarnation[:], b[1:]):]
		m.Members = append(m.Members, x)
	}
	if len(b) != 0 || count == 0 || count > MaxVoters || m.Epoch == 0 ||
		m.Qr < 1 || m.Qr > count || m.Qv < 1 || m.Qv > count || m.Qr+m.Qv <= count {
		return m, errMembership
	}
	return m, nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func cutString(b []byte) (string, []byte, bool) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return "", nil, false
	}
	return string(b[k : k+int(n)]), b[k+int(n):], true
}
