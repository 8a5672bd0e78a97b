package sim

import (
	"encoding/binary"
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
)

// Watcher is told what happens in a run, in order, for traces and pictures. It changes nothing. Runs
// without one are faster, and otherwise the same.
type Watcher interface {
	// Note says in words what host did, or what befell it; host -1 is the world.
	Note(at time.Duration, host int, what string, args []any)
	// Sent says that a message is on its way, or lost at once. id is its own.
	Sent(at time.Duration, id uint64, from, to int, m vsr.Message)
	// Watcher is told what becomes of messages and links; a message that is doubled ends twice.
	world.Watcher
	// Turned says what a replica is after a turn of its loop.
	Turned(at time.Duration, host int, now *vsr.State)
	// Called and Returned say that a caller has begun something, and how it ended.
	Called(at time.Duration, c *Call)
	Returned(at time.Duration, c *Call)
	// Faulted says what goes wrong.
	Faulted(at time.Duration, f *fault.Fault)
	// Lived says that a host's process started, or ended.
	Lived(at time.Duration, host int, up bool)
}

// tally is the hash of everything that happens, with what messages, saves, results and reads say: the same seed gives
// the same.
type tally uint64

// mix takes a number into the hash.
func (t *tally) mix(n uint64) {
	x := (uint64(*t) ^ n) * 1099511628211
	*t = tally(x ^ x>>29)
}

// mixBytes takes bytes into the hash.
func (t *tally) mixBytes(b []byte) { *t = tally(mix(uint64(*t), b)) }

// mixMessage takes an encoded message into the hash: it ends with a checksum of all of it.
func (t *tally) mixMessage(b []byte) { t.mix(binary.LittleEndian.Uint64(b[len(b)-8:])) }

// mixEntries takes entries into the hash.
func (t *tally) mixEntries(entries []vsr.Entry) {
	for i := range entries {
		e := &entries[i]
		t.mix(uint64(e.Op)<<32 ^ uint64(e.View)<<16 ^ uint64(e.Epoch)<<8 ^ uint64(e.Kind))
		t.mix(uint64(e.Time) ^ e.Session<<48 ^ e.Request<<24 ^ e.Floor)
		t.mixBytes(e.Body)
	}
}

// mixValue takes into the hash what a read returned, if it is of a kind that is the same in every process.
func (t *tally) mixValue(v any) {
	switch v := v.(type) {
	case testOutput:
		t.mix(v.count)
		t.mix(v.digest)
	case string:
		t.mixBytes([]byte(v))
	case []byte:
		t.mixBytes(v)
	case int:
		t.mix(uint64(v))
	case uint64:
		t.mix(v)
	}
}

// mark takes into the hash that a host did something with a number.
func (s *Sim) mark(host int, what uint64, number uint64) {
	s.sum.mix(uint64(s.Now()))
	s.sum.mix(uint64(host)<<32 ^ what)
	s.sum.mix(number)
}

// What is marked where there is no note.
const (
	marksSend = 1<<16 + iota
	marksReceive
	marksSave
	marksSaved
)

// note tells the watcher something in words, and takes it into the hash: number stands for args.
func (s *Sim) note(host int, what string, number uint64, args ...any) {
	s.sum.mixBytes([]byte(what))
	s.mark(host, uint64(len(what)), number)
	if s.watcher != nil {
		s.watcher.Note(s.Now(), host, what, args)
	}
}
