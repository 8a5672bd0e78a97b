// Package wire encodes and decodes messages, as transports carry them, and entries, as messages and
// the log contain them. It checks everything that comes from the network: the core relies on
// messages returned by DecodeMessage being well formed.
package wire

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/smr-go/smr/internal/vsr"
)

// The format of a message. Numbers are little-endian. The version and the checksum have the same
// place in every version, so that another version is not mistaken for damage.
//
//	 0          1       2          10         26       34            50       58        n-4
//	+---------+--------+----------+----------+--------+-------------+--------+---------+--------+
//	| version |  kind  |   tag    | group id | epoch  | incarnation | start  | payload | CRC32C |
//	|    1    |   1    |    8     |    16    |   8    |     16      |   8    |   ...   |   4    |
//	+---------+--------+----------+----------+--------+-------------+--------+---------+--------+
//
// The checksum covers all bytes before it. kind is a vsr.MessageKind. The file payload.go describes
// the payloads, entry.go the entries.
const (
	version      = 10
	headerSize   = 58
	checksumSize = 4
)

// MessageOverhead is the maximum size in bytes of an encoded message without its entries,
// proposals, chunk data, member lists, texts and lists with an item for each member. An entry or
// proposal adds at most EntryOverhead and its body.
const MessageOverhead = headerSize + 104 + checksumSize

// RelayOverhead is the size in bytes that a relay adds to a message.
const RelayOverhead = 4 + 48

// MaxMessage is the size in bytes of the largest message: a relayed one of one entry with the largest body. It
// is the same at every member, so a member can send whatever its log holds.
const MaxMessage = MessageOverhead + RelayOverhead + EntryOverhead + vsr.MaxBody

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// GroupTag represents a group's configured name in every message.
type GroupTag uint64

// TagOf returns the tag of a group's name: the first 8 bytes of its SHA-256 hash.
func TagOf(name string) GroupTag {
	sum := sha256.Sum256([]byte(name))
	return GroupTag(le.Uint64(sum[:]))
}

func (t GroupTag) String() string { return fmt.Sprintf("%016x", uint64(t)) }

// AppendMessage appends the encoding of m, sent with header h in the group with the given tag, to
// b. It grows b at most once unless m has a member list. It does not modify m, which other
// goroutines may read at the same time.
func AppendMessage(b []byte, tag GroupTag, h vsr.Header, m vsr.Message) []byte {
	start := len(b)
	f := fields{b: append(slices.Grow(b, MaxSize(m)), version, byte(vsr.KindOf(m)))}
	num(&f, &tag)
	f.header(&h)
	f.payload(m)
	return le.AppendUint32(f.b, crc32.Checksum(f.b[start:], castagnoli))
}

// DecodeMessage decodes a message encoded by AppendMessage in the group with the given tag. Bodies
// and chunk data alias b, which must not be modified afterwards; empty ones are nil. The memory
// allocated is proportional to len(b), whatever the contents. DecodeMessage returns an error if b is
// damaged, belongs to another version or group, or is a message that no replica could have sent.
func DecodeMessage(b []byte, tag GroupTag) (vsr.Header, vsr.Message, error) {
	h, m, err := decode(b, tag)
	if err != nil {
		return vsr.Header{}, nil, fmt.Errorf("wire: message of %d bytes: %w", len(b), err)
	}
	return h, m, nil
}

func decode(b []byte, tag GroupTag) (h vsr.Header, m vsr.Message, err error) {
	b, err = open(b)
	if err != nil {
		return h, nil, err
	}
	m = vsr.MessageKind(b[1]).New()
	if m == nil {
		return h, nil, fmt.Errorf("unknown kind %d", b[1])
	}
	f := fields{b: b[2:], reading: true}
	var t GroupTag
	if num(&f, &t); t != tag {
		return h, nil, fmt.Errorf("for the group with tag %v, not %v: Config.Group differs", t, tag)
	}
	f.header(&h)
	f.payload(m)
	if err := f.end(); err != nil {
		return h, nil, fmt.Errorf("%s: %w", vsr.KindOf(m), err)
	}
	if err := check(&h, m); err != nil {
		return h, nil, fmt.Errorf("%s: %w", vsr.KindOf(m), err)
	}
	return h, m, nil
}

var errShort = errors.New("too short")

// open checks the length, checksum and version, and returns b without the checksum.
func open(b []byte) ([]byte, error) {
	if len(b) < headerSize+checksumSize {
		return nil, errShort
	}
	b, tail := b[:len(b)-checksumSize], b[len(b)-checksumSize:]
	if want, got := le.Uint32(tail), crc32.Checksum(b, castagnoli); want != got {
		return nil, fmt.Errorf("checksum is %08x, but the bytes have %08x: altered in transit", want, got)
	}
	if b[0] != version {
		return nil, fmt.Errorf("format version %d, not %d: the sender runs another release", b[0], version)
	}
	return b, nil
}

// MaxSize returns the maximum size in bytes of the encoding of m without member lists.
func MaxSize(m vsr.Message) int {
	switch m := m.(type) {
	case *vsr.Prepare:
		return MessageOverhead + entriesSize(m.Entries)
	case *vsr.NewState:
		return MessageOverhead + entriesSize(m.Entries)
	case *vsr.Request:
		return MessageOverhead + proposalsSize(m.Requests)
	case *vsr.SnapshotChunk:
		return MessageOverhead + len(m.Data)
	case *vsr.Part:
		return MessageOverhead + len(m.Data)
	case *vsr.Question:
		return MessageOverhead + len(m.List)
	case *vsr.Answer:
		return MessageOverhead + len(m.List)
	case *vsr.Commit:
		return MessageOverhead + len(m.Acknowledged)*acknowledgedSize + reportsSize(m.Reports)
	case *vsr.CommitOK:
		return MessageOverhead + len(m.Problem)
	case *vsr.DoViewChange:
		return MessageOverhead + len(m.Acknowledged)*acknowledgedSize
	case *vsr.Relay:
		return MaxSize(m.Message) + RelayOverhead
	default:
		return MessageOverhead
	}
}
