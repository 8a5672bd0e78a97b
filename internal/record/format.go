package record

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The format of a recording: a header, then records. The numbers of the frame are little-endian.
//
//	  0                7         8        16
//	+-----------------+---------+--------+--------+--------+
//	|    "smr rec"    | version | layout | record | record | ...
//	|        7        |    4    |   8    |        |        |
//	+-----------------+---------+--------+--------+--------+
//
//	  0        4      5         n-4
//	+--------+------+---------+--------+
//	| length | kind | content | CRC32C |
//	|   4    |  1   |   ...   |   4    |
//	+--------+------+---------+--------+
//
// length is that of the content, whose encoding fields.go describes. The checksum covers all bytes of the record before
// it. A reader stops at the first record that is incomplete or damaged, because the process may have been killed while
// writing it. layout.go describes the layout.
//
//	kind    content
//	start   time, configuration and durable state of the core (start.go); only the first record is one
//	event   time, event, written before the core handles it (event.go)
//	answer  calls, time: after that number of calls in the section, Deadline returns time, until the next answer
//	draw    a random number that the core drew
//	turn    time, digest: the end of a turn, and the digest of its results (digest.go)
//
// A record of the kind start, event or turn begins a section (sections.go). Answers and draws follow the one in which they
// were given: those of an event, and of the end of its turn, follow the event; answers to the shell, between two turns,
// follow the turn.
const (
	magic   = "smr rec"
	version = 4
)

const (
	headerSize   = len(magic) + 1 + 8
	frameSize    = 5 // before the content
	checksumSize = 4
)

// The kinds of records.
const (
	startRecord byte = 1 + iota
	eventRecord
	answerRecord
	drawRecord
	turnRecord
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	le         = binary.LittleEndian
)

// header returns the bytes with which a recording begins.
func header() []byte { return append(append([]byte(magic), version), layout()...) }

// beginFrame begins a record in the memory of b. The content follows.
func beginFrame(b []byte, kind byte) []byte { return append(b[:0], 0, 0, 0, 0, kind) }

// endFrame completes a record that beginFrame began.
func endFrame(b []byte) []byte {
	le.PutUint32(b, uint32(len(b)-frameSize))
	return le.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// reader reads the records of a recording.
type reader struct {
	in    *bufio.Reader
	torn  bool // bytes follow the last whole record
	count int  // records read
}

// newReader reads the header.
func newReader(in io.Reader) (*reader, error) {
	r := &reader{in: bufio.NewReader(in)}
	h := make([]byte, headerSize)
	if _, err := io.ReadFull(r.in, h); err != nil || string(h[:len(magic)]) != magic {
		return nil, errors.Join(errors.New("record: this is not a recording of a replica's core"), err)
	}
	if !bytes.Equal(h, header()) {
		return nil, fmt.Errorf("record: format %x, not %x: replay it with the release that recorded it",
			h[len(magic):], header()[len(magic):])
	}
	return r, nil
}

// next returns the next record, in memory of its own, or io.EOF behind the last whole one.
func (r *reader) next() (kind byte, content []byte, err error) {
	var b bytes.Buffer
	n, err := io.CopyN(&b, r.in, frameSize)
	if n == 0 && err == io.EOF {
		return 0, nil, io.EOF
	}
	if err == nil {
		// The buffer grows with the bytes read, because the length may be damaged.
		_, err = io.CopyN(&b, r.in, int64(le.Uint32(b.Bytes()))+checksumSize)
	}
	if err != nil && err != io.EOF {
		return 0, nil, err
	}
	sum := b.Len() - checksumSize
	if err == io.EOF || le.Uint32(b.Bytes()[sum:]) != crc32.Checksum(b.Bytes()[:sum], castagnoli) {
		r.torn = true
		return 0, nil, io.EOF
	}
	r.count++
	return b.Bytes()[4], b.Bytes()[frameSize:sum:sum], nil
}
