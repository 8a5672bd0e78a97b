package tcp

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
)

// flipper is a connection on which one bit is flipped.
type flipper struct {
	net.Conn
	written, read stream
}

// stream is one direction of a flipper.
type stream struct {
	bit  int // the number of the bit that is flipped; -1: none
	size int // bytes so far
}

// pass flips the bit if it is among the next bytes.
func (s *stream) pass(p []byte) {
	if at := s.bit/8 - s.size; s.bit >= 0 && at >= 0 && at < len(p) {
		p[at] ^= 1 << (s.bit % 8)
	}
	s.size += len(p)
}

func (f *flipper) Write(p []byte) (int, error) {
	p = slices.Clone(p)
	f.written.pass(p)
	return f.Conn.Write(p)
}

func (f *flipper) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	f.read.pass(p[:n])
	return n, err
}

// A flipped bit costs at most the connection on which it was flipped, and is logged once: a bit of a greeting, of an
// answer, of a message or of the head of any of them. Above all, a damaged length does not swallow what follows.
func TestAFlippedBitCostsOneConnection(t *testing.T) {
	whole := sendOverFlipper(t, "no bit", -1, -1)
	assert.Zero(t, whole.warnings)
	for bit := range 8 * whole.written {
		run := sendOverFlipper(t, fmt.Sprintf("bit %d to the member", bit), bit, -1)
		assert.NotZero(t, run.warnings, "bit %d to the member is not logged", bit)
	}
	for bit := range 8 * whole.read {
		run := sendOverFlipper(t, fmt.Sprintf("bit %d from the member", bit), -1, bit)
		assert.NotZero(t, run.warnings, "bit %d from the member is not logged", bit)
	}
}

type flippedRun struct{ written, read, warnings int }

// sendOverFlipper sends messages of which the first goes over a flipper.
func sendOverFlipper(t *testing.T, name string, written, read int) (run flippedRun) {
	synctest.Test(t, func(t *testing.T) {
		wire := newMemory()
		var first *flipper
		wire.bend = func(_, _ string, n int, raw net.Conn) net.Conn {
			if n > 1 {
				return raw
			}
			first = &flipper{raw, stream{bit: written}, stream{bit: read}}
			return first
		}
		a, b := wire.start(t, "a", nil), wire.start(t, "b", nil)
		a.reaches(t, b, "first message")
		synctest.Wait()
		run.written, run.read = first.written.size, first.read.size
		a.reaches(t, b, "second message")
		assert.LessOrEqual(t, wire.dials("a", "b"), 2, name)
		assert.Equal(t, 2, b.received(), name)
		for _, m := range []*member{a, b} {
			warnings := strings.Count(m.log.String(), "[WARN]")
			assert.LessOrEqual(t, warnings, 1, "%s: %s", name, &m.log)
			run.warnings += warnings
		}
	})
	return run
}
