package record

import (
	"math/rand/v2"
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// While the core handles an event, it asks its Detector for a deadline and its source for random numbers. The types
// here record the answers in the recorded replica, and give them in a replayed one.

// recordedDetector passes calls on to a Detector, and records each answer that differs from the previous one.
type recordedDetector struct {
	vsr.Detector
	w    *Writer
	last time.Time
}

func (d *recordedDetector) Deadline() time.Time {
	at := d.Detector.Deadline()
	if at != d.last { // in either reading
		d.w.answered(at)
		d.last = at
	}
	d.w.calls++
	return at
}

// recordedSource passes on the random numbers of another source, and records them.
type recordedSource struct {
	*rand.Rand
	w *Writer
}

func (s *recordedSource) Uint64() uint64 {
	x := s.Rand.Uint64()
	s.w.drew(x)
	return x
}

// answers holds the recorded answers of one section. It is a Detector and a source of random numbers.
type answers struct {
	at      time.Time // current answer of the Detector
	calls   uint64    // calls of Deadline so far
	changes []change
	draws   []uint64
	missing int         // numbers drawn beyond those recorded
	spare   rand.Source // used beyond the recorded numbers
}

// Reset and Heard do nothing: the recorded Detector has taken them into account.
func (a *answers) Reset(time.Time) {}
func (a *answers) Heard(time.Time) {}

func (a *answers) Deadline() time.Time {
	for len(a.changes) > 0 && a.changes[0].call <= a.calls {
		a.at, a.changes = a.changes[0].at, a.changes[1:]
	}
	a.calls++
	return a.at
}

// Uint64 returns the next random number. If the recorded core drew no more, it returns one from spare, because package
// rand may reject numbers until it draws one in range.
func (a *answers) Uint64() uint64 {
	if len(a.draws) == 0 {
		a.missing++
		return a.spare.Uint64()
	}
	x := a.draws[0]
	a.draws = a.draws[1:]
	return x
}

// follow replaces the answers by those recorded after m. Answers still left belong to calls that the shell made.
func (a *answers) follow(m *section) {
	if n := len(a.changes); n > 0 {
		a.at = a.changes[n-1].at
	}
	*a = answers{at: a.at, changes: m.changes, draws: m.draws, spare: a.spare}
}
