package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/smr-go/smr/internal/vsr"
)

// The format of an entry, in messages and as the data of a log record. It has no checksum of its
// own; the message or the record has one.
//
//	 0      8       16      24      32        40        48      56     57       61
//	+------+-------+-------+-------+---------+---------+-------+------+--------+------+
//	|  op  | view  | epoch | time  | session | request | floor | kind | length | body |
//	|  8   |   8   |   8   |   8   |    8    |    8    |   8   |  1   |   4    | ...  |
//	+------+-------+-------+-------+---------+---------+-------+------+--------+------+
//
// A proposal has the same format without op, view, epoch and time: 29 bytes and its body. A list of
// entries or proposals in a message is their number in 4 bytes, followed by the items.
const (
	// EntryOverhead is the size of an encoded entry without its body, in bytes.
	EntryOverhead    = 61
	proposalOverhead = 29
)

// le is the byte order of all numbers.
var le = binary.LittleEndian

// AppendEntry appends the encoding of e to b.
func AppendEntry(b []byte, e *vsr.Entry) []byte { return append(AppendEntryHead(b, e), e.Body...) }

// AppendEntryHead appends what precedes the body in the encoding of e to b, EntryOverhead bytes.
func AppendEntryHead(b []byte, e *vsr.Entry) []byte {
	var x [EntryOverhead]byte
	le.PutUint64(x[0:], uint64(e.Op))
	le.PutUint64(x[8:], uint64(e.View))
	le.PutUint64(x[16:], uint64(e.Epoch))
	le.PutUint64(x[24:], uint64(e.Time))
	le.PutUint64(x[32:], e.Session)
	le.PutUint64(x[40:], e.Request)
	le.PutUint64(x[48:], e.Floor)
	x[56] = byte(e.Kind)
	le.PutUint32(x[57:], length(e.Body))
	return append(b, x[:]...)
}

// DecodeEntry decodes the entry at the beginning of b and returns the bytes after it. The body
// aliases b, which must not be modified afterwards; an empty body is nil. DecodeEntry returns an
// error if the entry is truncated or impossible.
func DecodeEntry(b []byte) (e vsr.Entry, rest []byte, err error) {
	rest, err = cutEntry(b, &e)
	if err == nil {
		err = e.Check()
	}
	if err != nil {
		return vsr.Entry{}, nil, fmt.Errorf("wire: %w", err)
	}
	return e, rest, nil
}

var (
	errEntryCut    = errors.New("ends inside an entry")
	errProposalCut = errors.New("ends inside a proposal")
)

// cutEntry decodes the entry at the beginning of b into e and returns the bytes after it.
func cutEntry(b []byte, e *vsr.Entry) (rest []byte, err error) {
	if len(b) < EntryOverhead {
		return nil, errEntryCut
	}
	x, b := b[:EntryOverhead], b[EntryOverhead:]
	e.Op = vsr.OpNumber(le.Uint64(x[0:]))
	e.View = vsr.View(le.Uint64(x[8:]))
	e.Epoch = vsr.Epoch(le.Uint64(x[16:]))
	e.Time = int64(le.Uint64(x[24:]))
	e.Session = le.Uint64(x[32:])
	e.Request = le.Uint64(x[40:])
	e.Floor = le.Uint64(x[48:])
	e.Kind = vsr.Kind(x[56])
	var ok bool
	if e.Body, b, ok = cutBody(b, le.Uint32(x[57:])); !ok {
		return nil, fmt.Errorf("entry %d: body has %d bytes, but %d are left", e.Op, le.Uint32(x[57:]), len(b))
	}
	return b, nil
}

// cutBody returns the first n bytes of b as a body, and the bytes after it. The body's capacity is
// n, so that appending to it copies.
func cutBody(b []byte, n uint32) (body, rest []byte, ok bool) {
	if uint64(n) > uint64(len(b)) {
		return nil, b, false
	}
	if n == 0 {
		return nil, b, true
	}
	return b[:n:n], b[n:], true
}

// entries visits a list of entries.
func (f *fields) entries(v *[]vsr.Entry) { list(f, v, EntryOverhead, AppendEntry, cutEntry) }

// proposals visits a list of proposals.
func (f *fields) proposals(v *[]vsr.Proposal) {
	list(f, v, proposalOverhead, appendProposal, cutProposal)
}

func appendProposal(b []byte, p *vsr.Proposal) []byte {
	var x [proposalOverhead]byte
	le.PutUint64(x[0:], p.Session)
	le.PutUint64(x[8:], p.Request)
	le.PutUint64(x[16:], p.Floor)
	x[24] = byte(p.Kind)
	le.PutUint32(x[25:], length(p.Body))
	return append(append(b, x[:]...), p.Body...)
}

// cutProposal decodes the proposal at the beginning of b into p and returns the bytes after it.
func cutProposal(b []byte, p *vsr.Proposal) (rest []byte, err error) {
	if len(b) < proposalOverhead {
		return nil, errProposalCut
	}
	x, b := b[:proposalOverhead], b[proposalOverhead:]
	p.Session = le.Uint64(x[0:])
	p.Request = le.Uint64(x[8:])
	p.Floor = le.Uint64(x[16:])
	p.Kind = vsr.Kind(x[24])
	var ok bool
	if p.Body, b, ok = cutBody(b, le.Uint32(x[25:])); !ok {
		return nil, fmt.Errorf("request %d: body has %d bytes, but %d are left", p.Request, le.Uint32(x[25:]), len(b))
	}
	return b, nil
}

func entriesSize(entries []vsr.Entry) (n int) {
	for i := range entries {
		n += EntryOverhead + len(entries[i].Body)
	}
	return n
}

func proposalsSize(proposals []vsr.Proposal) (n int) {
	for i := range proposals {
		n += proposalOverhead + len(proposals[i].Body)
	}
	return n
}
