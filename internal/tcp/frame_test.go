package tcp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func frameBytes(bodies ...[]byte) []byte {
	var b bytes.Buffer
	w := frameWriter{Writer: bufio.NewWriter(&b)}
	for _, body := range bodies {
		w.write(body)
	}
	w.Flush()
	return b.Bytes()
}

const frameTestMax = 300 << 10

func readFrames(r io.Reader) (bodies [][]byte, err error) {
	f := frameReader{r: r, max: frameTestMax}
	for {
		body, err := f.next()
		if err != nil {
			return bodies, err
		}
		bodies = append(bodies, body)
	}
}

// What was written is read, however the stream is cut, and no body shares memory with another.
func TestFramesComeAsTheyWent(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	var sent [][]byte
	for _, size := range []int{0, 1, 7, 8, 100, frameLent - 1, frameLent, frameLent + 1, frameChunk - 8, frameChunk, frameTestMax, 3, 60_000, 0, 12} {
		body := make([]byte, size)
		random.Read(body)
		sent = append(sent, body)
	}
	for range 2_000 {
		sent = append(sent, bytes.Repeat([]byte{byte(len(sent))}, len(sent)%150))
	}
	stream := frameBytes(sent...)
	for name, cut := range map[string]func(io.Reader) io.Reader{
		"whole":            func(r io.Reader) io.Reader { return r },
		"byte by byte":     iotest.OneByteReader,
		"halves":           iotest.HalfReader,
		"error with bytes": iotest.DataErrReader,
	} {
		got, err := readFrames(cut(bytes.NewReader(stream)))
		require.Equal(t, io.EOF, err, name)
		for _, body := range got {
			_ = append(body, "beyond the end"...)
		}
		require.Equal(t, len(sent), len(got), name)
		for i := range sent {
			require.True(t, bytes.Equal(sent[i], got[i]), "%s: frame %d", name, i)
		}
	}
}

func TestAFrameTooLargeIsRefusedBeforeItsMemoryIsTaken(t *testing.T) {
	head := []byte{0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4}
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(head, castagnoli))
	f := frameReader{r: bytes.NewReader(head), max: 1 << 20}
	_, err := f.next()
	assert.EqualError(t, err, "frame of 4294967295 bytes exceeds the limit of 1048576")
	f = frameReader{r: bytes.NewReader(frameBytes(make([]byte, 1<<20+1))), max: 1 << 20}
	_, err = f.next()
	assert.ErrorContains(t, err, "frame of 1048577 bytes")
}

// Damage is noticed as soon as the frame, or its damaged head, has been read: more bytes are not waited for.
func TestEveryDamagedBitIsNoticed(t *testing.T) {
	whole := frameBytes([]byte("a message"))
	for bit := range len(whole) * 8 {
		damaged := bytes.Clone(whole)
		damaged[bit/8] ^= 1 << (bit % 8)
		bodies, err := readFrames(io.MultiReader(bytes.NewReader(damaged), iotest.ErrReader(errors.New("waits for more"))))
		assert.Empty(t, bodies, "bit %d", bit)
		assert.ErrorContains(t, err, "damaged", "bit %d", bit)
	}
}

func TestACutFrameIsNotAnEnd(t *testing.T) {
	for _, size := range []int{10, frameLent + 10} {
		whole := frameBytes(make([]byte, size))
		for cut := 1; cut < len(whole); cut += 1 + size/50 {
			bodies, err := readFrames(bytes.NewReader(whole[:cut]))
			assert.Empty(t, bodies)
			assert.Equal(t, io.ErrUnexpectedEOF, err, "cut at %d of %d", cut, len(whole))
		}
	}
}

func TestZerosAreNoFrame(t *testing.T) {
	_, err := readFrames(bytes.NewReader(make([]byte, 100)))
	assert.ErrorContains(t, err, "damaged")
}

// shortReader gives a few bytes at a time, as a slow connection does.
type shortReader struct {
	io.Reader
	most int
}

func (r *shortReader) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(len(p), r.most)]) }

// Short messages cost an allocation for many.
func TestShortFramesShareMemory(t *testing.T) {
	stream := frameBytes(slices.Repeat([][]byte{make([]byte, 100)}, 20_000)...)
	f := frameReader{r: &shortReader{bytes.NewReader(stream), frameHead + 100}, max: 1 << 20}
	allocs := testing.AllocsPerRun(19_000, func() {
		if _, err := f.next(); err != nil {
			t.Fatal(err)
		}
	})
	assert.Zero(t, allocs)
}

// FuzzReadFrame reads any bytes: no panic, nothing above the limit, and what is taken is, written
// again, what was read.
func FuzzReadFrame(f *testing.F) {
	f.Add(frameBytes([]byte("a"), []byte(""), []byte("longer")))
	f.Add(frameBytes(make([]byte, frameLent+1)))
	f.Add(make([]byte, 20))
	f.Fuzz(func(t *testing.T, stream []byte) {
		bodies, err := readFrames(bytes.NewReader(stream))
		require.Error(t, err)
		again := frameBytes(bodies...)
		require.True(t, bytes.HasPrefix(stream, again))
		if err == io.EOF {
			require.Len(t, again, len(stream))
		}
		slow, _ := readFrames(iotest.OneByteReader(bytes.NewReader(stream)))
		require.Equal(t, len(bodies), len(slow))
	})
}

// FuzzParseGreeting reads any bytes as a greeting: no panic, ids within bounds.
func FuzzParseGreeting(f *testing.F) {
	f.Add([]byte("\x01a\x01bhello"))
	f.Add([]byte("\x00\x01b"))
	f.Fuzz(func(t *testing.T, b []byte) {
		from, to, hello, err := parseGreeting(b)
		if err != nil {
			return
		}
		require.True(t, len(from) > 0 && len(from) <= maxIDBytes && len(to) > 0 && len(to) <= maxIDBytes)
		again := string(byte(len(from))) + string(from)
		again += string(byte(len(to))) + string(to) + string(hello)
		require.Equal(t, string(b), again)
	})
}
