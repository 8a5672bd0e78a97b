package tcp

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
)

// A frame. Numbers are in little endian:
//
//	 0        4          8          12
//	+--------+----------+----------+-----------------+
//	| length | body crc | head crc | length bytes    |
//	+--------+----------+----------+-----------------+
//	`---- covered by head crc'       `- by body crc -'
//
// Both checksums are CRC32C. The head has its own, because a reader that believed a damaged length would take the
// frames that follow for the rest of this one. Zeros are not a valid frame, because the CRC of eight zeros is not zero.

const (
	frameHead  = 12
	frameChunk = 64 << 10 // size of a reader's chunk
	frameLent  = 16 << 10 // bodies up to this size are parts of a chunk
	frameStep  = 2 << 20  // memory taken for a longer body before any of it has arrived
	frameSpace = 4 << 10  // a chunk with less room than this is full
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frameError reports bytes that no replica of this version has sent, or damage to those that it sent.
type frameError struct{ reason string }

// Error implements error.
func (e *frameError) Error() string { return e.reason }

// frameReader reads frames from a stream. One goroutine owns it. It reads into a chunk and returns short
// bodies as parts of the chunk, without copying or allocating; it never writes again to a part of a chunk
// that it has returned.
type frameReader struct {
	r      io.Reader
	max    int    // size of the longest body that is accepted
	chunk  []byte // chunk[start:end] has been read and not yet returned
	start  int
	end    int
	lent   bool // a part of chunk[:start] has been returned
	within bool // during a read: a frame has begun and not ended
}

// next returns the body of the next frame, which the caller owns. At the end of the stream the error is
// io.EOF, or io.ErrUnexpectedEOF within a frame. Otherwise it is a *frameError or an error of the stream.
// After an error, next must not be called again.
func (f *frameReader) next() ([]byte, error) {
	if err := f.fill(frameHead); err != nil {
		return nil, err
	}
	head := f.chunk[f.start:][:frameHead]
	size, sum, headSum := binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[4:]), binary.LittleEndian.Uint32(head[8:])
	if got := crc32.Checksum(head[:8], castagnoli); got != headSum {
		return nil, &frameError{fmt.Sprintf("head of a frame is damaged: checksum %08x, should be %08x", headSum, got)}
	}
	if uint64(size) > uint64(f.max) {
		return nil, &frameError{fmt.Sprintf("frame of %d bytes exceeds the limit of %d", size, f.max)}
	}
	body, err := f.body(int(size))
	if err != nil {
		return nil, err
	}
	if got := crc32.Checksum(body, castagnoli); got != sum {
		return nil, &frameError{fmt.Sprintf("frame of %d bytes is damaged: checksum %08x, should be %08x", size, sum, got)}
	}
	return body, nil
}

// take returns the next n bytes unparsed; n <= frameHead + frameLent.
func (f *frameReader) take(n int) ([]byte, error) {
	if err := f.fill(n); err != nil {
		return nil, err
	}
	from := f.start
	f.start += n
	f.lent = true
	return f.chunk[from:f.start:f.start], nil
}

// body reads the frame whose head begins at start, and returns its body.
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

// long is body for a body that is not part of a chunk. Bytes that are not in the chunk yet are read directly
// into the new body. Its memory grows only as bytes arrive, so announcing a long frame costs the receiver nothing.
func (f *frameReader) long(size int) ([]byte, error) {
	body := make([]byte, min(size, frameStep))
	n := copy(body, f.chunk[f.start+frameHead:f.end])
	f.start += frameHead + n
	f.within = true
	for {
		if _, err := io.ReadFull(f.r, body[n:]); err != nil {
			return nil, cutShort(err)
		}
		if n = len(body); n == size {
			return body, nil
		}
		body = append(make([]byte, 0, min(size, 4*n)), body...)
		body = body[:cap(body)]
	}
}

// fill reads until chunk[start:end] has n bytes; n <= frameHead + frameLent.
func (f *frameReader) fill(n int) error {
	for f.end-f.start < n {
		if len(f.chunk)-f.end < frameSpace || f.start == f.end && !f.lent {
			f.makeRoom()
		}
		f.within = f.end > f.start
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

// makeRoom moves the bytes that have not been returned to the front of the chunk, or of a new chunk if a
// part of this one has been returned.
func (f *frameReader) makeRoom() {
	rest := f.chunk[f.start:f.end]
	if f.lent || f.chunk == nil {
		f.chunk, f.lent = make([]byte, frameChunk), false
	}
	f.start, f.end = 0, copy(f.chunk, rest)
}

// cutShort turns the end of the stream within a frame into io.ErrUnexpectedEOF.
func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// frameWriter gathers frames into large writes. One goroutine owns it.
type frameWriter struct {
	*bufio.Writer
	head [frameHead]byte
}

// write adds a frame. After an error of the stream, every write returns that error.
func (f *frameWriter) write(body []byte) error {
	binary.LittleEndian.PutUint32(f.head[:], uint32(len(body)))
	binary.LittleEndian.PutUint32(f.head[4:], crc32.Checksum(body, castagnoli))
	binary.LittleEndian.PutUint32(f.head[8:], crc32.Checksum(f.head[:8], castagnoli))
	f.Write(f.head[:])
	_, err := f.Write(body)
	return err
}
