package shell

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// A limit in bytes on the messages and proposals that wait for a turn of the loop. Others send them unasked; all other
// inputs report the results of the shell's own work, or come from callers that wait.

// maxMessages is the default of Config.MaxMessages.
const maxMessages = 64 << 20

const _ uint = maxMessages - vsr.MaxInFlight - wire.MaxMessage // there is room for the largest message in addition to all that the primary has in flight

// inputOverhead is the number of bytes that a message or a proposal counts besides its own. The core's windows count
// operations in the same way.
const inputOverhead = 64

// door counts the messages and the proposals that wait for a turn. Its fields may be used concurrently.
type door struct {
	messages, proposals space
}

// space is the number of bytes that wait for a turn, and their limit.
type space struct {
	limit int64
	used  atomic.Int64
	count atomic.Int64 // inputs that wait
}

// enter counts size more bytes. It reports false if they would exceed the limit. If nothing waits, any size fits;
// otherwise an input larger than the limit could never enter.
func (s *space) enter(size int) bool {
	for {
		used := s.used.Load()
		if used > 0 && used+int64(size) > s.limit {
			return false
		}
		if s.used.CompareAndSwap(used, used+int64(size)) {
			s.count.Add(1)
			return true
		}
	}
}

// leave makes room for size bytes.
func (s *space) leave(size int) {
	s.count.Add(-1)
	s.used.Add(-int64(size))
}

// check returns an error if more bytes wait than the limit allows. A single input may have any size. The loop, which alone calls leave,
// calls it.
func (s *space) check(what string) error {
	used := s.used.Load() // first: above the limit nothing enters behind a single input
	if count := s.count.Load(); used < 0 || count > 1 && used > s.limit {
		return fmt.Errorf("11.10: %d %s of %d bytes wait for a turn, not %d bytes at most", count, what, used, s.limit)
	}
	return nil
}

// Receive decodes and checks a message of the member with the ID from, and returns the input that gives it to the loop.
// After an error the driver drops the message, as if it was lost on the way. The error is an ErrOverloaded if the
// message is good and too many wait. Receive may be called concurrently.
func (s *Shell) Receive(from string, b []byte) (in Input, err error) {
	i := slices.Index(s.ids, from)
	if i < 0 {
		return in, fmt.Errorf("%q is not a member", from)
	}
	h, m, err := wire.DecodeMessage(b, s.tag)
	if err != nil {
		return in, err
	}
	size := len(b) + inputOverhead
	if !s.door.messages.enter(size) {
		return in, fmt.Errorf("%w: a message of %d bytes has no room behind those that wait, the limit is %d",
			ErrOverloaded, len(b), s.door.messages.limit)
	}
	return Input{Receive: vsr.Receive{From: vsr.Index(i), Header: h, Message: m}, size: size}, nil
}

// Propose returns the input that gives a call to the loop. If too many proposals wait, it returns an ErrOverloaded, and
// the caller owns the call again. Propose may be called concurrently.
func (s *Shell) Propose(x *Call) (in Input, err error) {
	size := len(x.Body) + inputOverhead
	if !s.door.proposals.enter(size) {
		return in, fmt.Errorf("%w: a proposal of %d bytes has no room behind those that wait, the limit is %d "+
			"(Config.Window); try again later", ErrOverloaded, len(x.Body), s.door.proposals.limit)
	}
	return Input{Call: x, size: size}, nil
}
