// Package wire is the encoding of messages, as transports carry them, and of entries, as messages
// and the log hold them. It is the gateway (STYLE 7): what DecodeMessage returns is well formed,
// and code further in relies on that.
package wire

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"

	"github.com/smr-go/smr/internal/vsr"
)

// A message. Numbers are little-endian. The places of the version and of the checksum are the
// same in every version, so that a version is told from damage.
//
//	 0          1       2          10         26       34            50       58        n-4
//	+---------+--------+----------+----------+--------+-------------+--------+---------+--------+
//	| version |  kind  |   tag    | group id | epoch  | incarnation | start  | payload | CRC32C |
//	|    1    |   1    |    8     |    16    |   8    |     16      |   8    |   ...   |   4    |
//	+---------+--------+----------+----------+--------+-------------+--------+---------+--------+
//
// The checksum covers everything before it. The kind is a vsr.MessageKind. Payloads are in
// payload.go, entries in entry.go.
const (
	version      = 1
	headerSize   = 58
	checksumSize = 4
)

// MessageOverhead is what a message takes at most, in bytes, beside its entries, proposals, chunk
// data and member lists. Entries and proposals take EntryOverhead and their bodies at most.
const MessageOverhead = headerSize + 88 + checksumSize

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// GroupTag stands for a group's configured name in every message.
type GroupTag uint64

// TagOf returns the tag of a group's name: the beginning of its SHA-256.
func TagOf(name string) GroupTag {
	sum := sha256.Sum256([]byte(name))
	return GroupTag(le.Uint64(sum[:]))
}

func (t GroupTag) String() string { return fmt.Sprintf("%016x", uint64(t)) }

// AppendMessage appends the encoding of m, sent under h in the group of that tag, to b. It grows b
// at most once, but for member lists, and only reads h and m, which others may read meanwhile.
func AppendMessage(b []byte, tag GroupTag, h vsr.Header, m vsr.Message) []byte {
	start := len(b)
	f := fields{b: append(slices.Grow(b, sizeHint(m)), version, byte(vsr.KindOf(m)))}
	num(&f, &tag)
	f.header(&h)
	f.payload(m)
	return le.AppendUint32(f.b, crc32.Checksum(f.b[start:], castagnoli))
}

// DecodeMessage decodes a whole message that AppendMessage wrote in the group of that tag. The
// bodies, and the data of a chunk, are parts of b, which must not be changed from then on; empty
// ones are nil. It takes memory in proportion to b, whatever b holds. The error says what is wrong.
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
		return h, nil, fmt.Errorf("for the group of tag %v, not %v: Config.Group differs", t, tag)
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

var errShort = errors.New("too short to be one")

// open checks length, checksum and version, and returns b without the checksum.
func open(b []byte) ([]byte, error) {
	if len(b) < headerSize+checksumSize {
		return nil, errShort
	}
	b, tail := b[:len(b)-checksumSize], b[len(b)-checksumSize:]
	if want, got := le.Uint32(tail), crc32.Checksum(b, castagnoli); want != got {
		return nil, fmt.Errorf("checksum is %08x, of the bytes %08x: altered on its way", want, got)
	}
	if b[0] != version {
		return nil, fmt.Errorf("format version %d, not %d: the sender runs another release", b[0], version)
	}
	return b, nil
}

// sizeHint returns what the encoding of m takes at most, in bytes, beside member lists.
func sizeHint(m vsr.Message) int {
	switch m := m.(type) {
	case *vsr.Prepare:
		return MessageOverhead + entriesSize(m.Entries)
	case *vsr.NewState:
		return MessageOverhead + entriesSize(m.Entries)
	case *vsr.Request:
		return MessageOverhead + proposalsSize(m.Requests)
	case *vsr.SnapshotChunk:
		return MessageOverhead + len(m.Data)
	case *vsr.Question:
		return MessageOverhead + len(m.List)
	case *vsr.Answer:
		return MessageOverhead + len(m.List)
	default:
		return MessageOverhead
	}
}
