package hello

import (
	"encoding/binary"
	"fmt"

	"github.com/smr-go/smr/internal/vsr"
)

// version is the version of the protocol that a greeting states.
const version = 3

// greeting describes a member to another one before the first message. Its first byte has the same
// meaning in all versions. Numbers are in little endian:
//
//	 0         1          17            33      41          42            43
//	+---------+----------+-------------+-------+-----------+-------------+------+------+
//	| version | group id | incarnation | start | confirmed | name length | name | list |
//	+---------+----------+-------------+-------+-----------+-------------+------+------+
type greeting struct {
	group       vsr.GroupID     // zero if the member holds no group
	incarnation vsr.Incarnation // of the member's memory
	start       uint64          // how often that memory has been started
	confirmed   bool            // the member knows that the group has formed
	name        string          // of the group, as configured; at most 255 bytes
	list        string          // the members as configured, for a person to read
}

const fixedSize = 1 + 16 + 16 + 8 + 1 + 1

// encode returns the greeting in its format.
func (g *greeting) encode() []byte {
	b := append([]byte{version}, g.group[:]...)
	b = append(b, g.incarnation[:]...)
	b = binary.LittleEndian.AppendUint64(b, g.start)
	confirmed := byte(0)
	if g.confirmed {
		confirmed = 1
	}
	b = append(b, confirmed, byte(len(g.name)))
	return append(append(b, g.name...), g.list...)
}

// decode parses a greeting. Its error describes the sender as "it".
func decode(b []byte) (g greeting, err error) {
	if len(b) > 0 && b[0] != version {
		return g, fmt.Errorf("it speaks version %d of the protocol, this replica %d; run the same version of smr on all", b[0], version)
	}
	if len(b) < fixedSize || len(b) < fixedSize+int(b[fixedSize-1]) {
		return g, fmt.Errorf("its greeting has %d bytes and does not parse", len(b))
	}
	copy(g.group[:], b[1:])
	copy(g.incarnation[:], b[17:])
	g.start = binary.LittleEndian.Uint64(b[33:])
	g.confirmed = b[41] == 1
	g.name = string(b[fixedSize : fixedSize+int(b[fixedSize-1])])
	g.list = string(b[fixedSize+len(g.name):])
	return g, nil
}
