package record

import (
	"fmt"
	"io"
	"time"
)

// section is a start, an event or the end of a turn, with the answers recorded after it.
type section struct {
	number  int // of its record, from 1
	kind    byte
	content []byte
	changes []change
	draws   []uint64
	last    bool // the recording ends after it, so answers may be missing
}

// change is a change of the Detector's answer, first returned after that number of calls.
type change struct {
	call uint64
	at   time.Time
}

// sections reads a recording section by section. It is one record ahead.
type sections struct {
	in      *reader
	kind    byte // of the record ahead
	content []byte
	end     bool // no record is ahead
}

// next returns the next section, or io.EOF.
func (s *sections) next() (m section, err error) {
	if s.in.count == 0 {
		if s.kind, s.content, err = s.in.next(); err != nil {
			return m, err
		}
	}
	if s.end {
		return m, io.EOF
	}
	m = section{number: s.in.count, kind: s.kind, content: s.content}
	for {
		s.kind, s.content, err = s.in.next()
		if err == io.EOF {
			s.end, m.last = true, true
			return m, nil
		}
		if err != nil || s.kind != answerRecord && s.kind != drawRecord {
			return m, err
		}
		if err := m.follow(s.kind, s.content); err != nil {
			return m, damaged(s.in.count, err)
		}
	}
}

// follow adds an answer or draw to its section.
func (m *section) follow(kind byte, content []byte) error {
	f := fields{b: content, reading: true}
	if kind == drawRecord {
		var x uint64
		f.visit(&x)
		m.draws = append(m.draws, x)
		return f.end()
	}
	var c change
	f.visit(&c.call, &c.at)
	m.changes = append(m.changes, c)
	return f.end()
}

// damaged returns the error for a record whose checksum is right and whose content is not.
func damaged(number int, err error) error {
	return fmt.Errorf("record: record %d does not decode: %w", number, err)
}
