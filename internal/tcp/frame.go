package tcp

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// A frame, numbers in little endian:
//
//	 0        4        8
//	+--------+--------+-----------------+
//	| crc    | length | length bytes    |
//	+--------+--------+-----------------+
//	         `------- crc covers -------'
//
// crc is CRC32C. Zeros are not a frame: the crc of four zero bytes is not zero.

const (
	frameHead  = 8
	frameChunk = 64 << 10 // what the reader reads into
	frameLent  = 16 << 10 // longer bodies have memory of their own
	frameSpace = 4 << 10  // a chunk with less room than this is full
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frameError is a frame that no replica of this version has written, or a damaged one.
type frameError struct{ reason string }

func (e *frameError) Error() string { return e.reason }

// frameReader takes frames from a stream. It is owned by one goroutine. Short bodies are handed
// out where they were read, so that they cost neither a copy nor memory of their own; a chunk of
// which a part was handed out is never written again.
type frameReader struct {
	r     io.Reader
	max   int    // the longest body taken
	chunk []byte // chunk[start:end] is read and not yet handed out
	start int
	end   int
	lent  bool // a part of chunk[:start] was handed out
}

// next returns the next body, which belongs to the caller. The error is io.EOF between frames,
// io.ErrUnexpectedEOF within one, a *frameError, or the stream's. After an error the stream is
// of no use.
func (f *frameReader) next() ([]byte, error) {
	if err := f.fill(frameHead); err != nil {
		return nil, err
	}
	head := f.chunk[f.start:][:frameHead]
	sum, size := binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[4:])
	if uint64(size) > uint64(f.max) {
		return nil, &frameError{fmt.Sprintf("frame of %d bytes: at most %d are taken", size, f.max)}
	}
	got := crc32.Checksum(head[4:], castagnoli)
	body, err := f.body(int(size))
	if err != nil {
		return nil, err
	}
	if got = crc32.Update(got, castagnoli, body); got != sum {
		return nil, &frameError{fmt.Sprintf("frame of %d bytes is damaged: checksum %08x, should be %08x", size, got, sum)}
	}
	return body, nil
}

// take returns the next n bytes, whatever they are; n <= frameHead + frameLent.
func (f *frameReader) take(n int) ([]byte, error) {
	if err := f.fill(n); err != nil {
		return nil, err
	}
	from := f.start
	f.start += n
	f.lent = true
	return f.chunk[from:f.start:f.start], nil
}

// body takes the frame whose head stands at start, and returns what follows the head.
func (f *frameReader) body(size int) ([]byte, error) {
	if size > frameLent {
		return f.long(size)
	}
	frame, err := f.take(frameHead + size)
	if err != nil {
		return nil, err
	}
	return frame[frameHead:], nil
}

// long reads a body into memory of its own, what is not in the chunk yet without passing by it.
func (f *frameReader) long(size int) ([]byte, error) {
	body := make([]byte, size)
	n := copy(body, f.chunk[f.start+frameHead:f.end])
	f.start += frameHead + n
	if _, err := io.ReadFull(f.r, body[n:]); err != nil {
		return nil, cutShort(err)
	}
	return body, nil
}

// fill reads until n bytes stand at start; n <= frameHead + frameLent.
func (f *frameReader) fill(n int) error {
	for f.end-f.start < n {
		if len(f.chunk)-f.end < frameSpace || f.start == f.end && !f.lent {
			f.makeRoom()
		}
		k, err := f.r.Read(f.chunk[f.end:])
		f.end += k
		if err != nil && f.end-f.start < n {
			if f.end > f.start {
				err = cutShort(err)
			}
			return err
		}
	}
	return nil
}

// makeRoom moves what is not handed out to the front, of another chunk if a part of this is lent.
func (f *frameReader) makeRoom() {
	rest := f.chunk[f.start:f.end]
	if f.lent || f.chunk == nil {
		f.chunk, f.lent = make([]byte, frameChunk), false
	}
	f.start, f.end = 0, copy(f.chunk, rest)
}

func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// frameWriter gathers frames. It is owned by one goroutine.
type frameWriter struct {
	*bufio.Writer
	head [frameHead]byte
}

// write adds a frame; an error is the stream's, and stays.
func (f *frameWriter) write(body []byte) error {
	binary.LittleEndian.PutUint32(f.head[4:], uint32(len(body)))
	sum := crc32.Checksum(f.head[4:], castagnoli)
	binary.LittleEndian.PutUint32(f.head[:], crc32.Update(sum, castagnoli, body))
	f.Write(f.head[:])
	_, err := f.Write(body)
	return err
}
