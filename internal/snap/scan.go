package snap

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"

	"github.com/smr-go/smr/internal/vfs"
)

// scanner reads the chunks of a file in order. Its errors are io.EOF, ErrCorrupt, and those for which
// vfs.IsShort is true.
type scanner struct {
	layout
	file io.ReaderAt
	next uint32
	hash hash.Hash
	buf  []byte
}

func (l *layout) scan(file io.ReaderAt) *scanner {
	return &scanner{layout: *l, file: file, hash: sha256.New(), buf: make([]byte, l.length(0))}
}

// chunk returns the next payload, which is valid until the following call, or io.EOF after the last
// one. It checks the hash of the whole snapshot before it returns the last payload.
func (s *scanner) chunk() ([]byte, error) {
	if s.next == s.chunks {
		return nil, io.EOF
	}
	data, err := s.read(s.file, s.next, s.buf)
	if err != nil {
		return nil, err
	}
	s.hash.Write(data)
	if s.next++; s.next < s.chunks {
		return data[chunkHeadSize:], nil
	}
	if got := s.identity(s.hash); got != s.id.Hash {
		return nil, fmt.Errorf("%w: its hash is %x, but its ID has %x", ErrCorrupt, got, s.id.Hash)
	}
	return data[chunkHeadSize:], nil
}

// read reads chunk i into buf and checks it.
func (l *layout) read(file io.ReaderAt, i uint32, buf []byte) ([]byte, error) {
	data := buf[:l.length(i)]
	if err := readFull(file, data, l.offset(i)); err != nil {
		return nil, fmt.Errorf("chunk %d: %w", i, err)
	}
	if _, err := l.payload(i, data); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return data, nil
}

// readFull fills b. It returns ErrCorrupt if that fails, because a read error is treated like rot
// (F11), unless the system was short of something. A file that ends early is io.ErrUnexpectedEOF, lest a caller mistake
// io.EOF for the end of the state.
func readFull(file io.ReaderAt, b []byte, off int64) error {
	n, err := file.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if vfs.IsShort(err) {
		return err
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}

// header returns the caller's header and the bytes after it in the last chunk read.
func (s *scanner) header() (header, rest []byte, err error) {
	b, err := s.fill(nil, 4)
	if err != nil {
		return nil, nil, err
	}
	n := binary.LittleEndian.Uint32(b)
	if n > MaxHeader {
		return nil, nil, fmt.Errorf("%w: its header has %d bytes; the limit is %d", ErrCorrupt, n, MaxHeader)
	}
	end := 4 + int(n)
	if b, err = s.fill(b, end); err != nil {
		return nil, nil, err
	}
	return b[4:end:end], b[end:], nil
}

// fill appends payloads to b until b has n bytes. Memory grows with the bytes that were checked: n
// may come from a damaged file.
func (s *scanner) fill(b []byte, n int) ([]byte, error) {
	for len(b) < n {
		payload, err := s.chunk()
		if err == io.EOF {
			return nil, fmt.Errorf("%w: its content has %d bytes, but its header ends at byte %d", ErrCorrupt, len(b), n)
		}
		if err != nil {
			return nil, err
		}
		b = append(b, payload...)
	}
	return b, nil
}

// verify reads and checks the remaining chunks.
func (s *scanner) verify() error {
	for {
		if _, err := s.chunk(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
