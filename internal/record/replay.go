package record

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// Options configures Replay. The zero value is a plain replay.
type Options struct {
	// Change changes the configuration before the core is made. Replay sets Detector and Rand afterwards.
	Change func(*vsr.Config)
	// Look is called after each event and each end of a turn.
	Look func(*Moment)
}

// Extent is the part of a recording that was replayed.
type Extent struct {
	ID            string // of the replica
	Turns, Events int
	Torn          bool // the recording ends within a record
}

// Moment is an event that the core has just handled, or the end of a turn.
type Moment struct {
	Turn   int // from 1
	Index  int // of the event, or of the last event before the end of the turn, from 1
	At     time.Time
	Event  vsr.Event   // nil at the end of a turn
	Output *vsr.Output // nil unless at the end of a turn
	Core   *vsr.Replica
	name   func(vsr.Index) string
}

// String describes the moment in words. The end of a turn has a line for each part of its output.
func (m *Moment) String() string {
	head := fmt.Sprintf("turn %d, event %d, %s: ", m.Turn, m.Index, m.At.UTC().Format("15:04:05.000000"))
	if m.Event != nil {
		return head + eventInWords(m.Event, m.name)
	}
	s := m.Core.State()
	head += fmt.Sprintf("turn ends: %v, view=%d last=%v commit=%d applied=%d",
		s.Phase, s.Head.View, s.Last, s.Commit, s.Applied)
	return strings.Join(append([]string{head}, outputInWords(m.Output, m.name)...), "\n    ")
}

// Difference reports the first moment at which a replayed core differs from the recorded one, breaks an invariant or
// panics.
type Difference struct {
	Turn  int // from 1
	Index int // of the last event
	At    time.Time
	Err   error // the difference
}

func (d *Difference) Error() string {
	return fmt.Sprintf("turn %d, event %d, %s: %v", d.Turn, d.Index, d.At.UTC().Format("15:04:05.000000"), d.Err)
}

func (d *Difference) Unwrap() error { return d.Err }

// Replay creates a core from a recording, gives it the recorded events, and compares its results after each turn. It
// returns the first *Difference as an error, or another error if the recording cannot be read. If the recording ends
// within a record, Replay ends at the last complete one.
func Replay(recording io.Reader, o Options) (Extent, error) {
	in, err := newReader(recording)
	if err != nil {
		return Extent{}, err
	}
	p := replayer{sections: sections{in: in}, options: o, answers: answers{spare: rand.NewPCG(0, 0)}, digest: newDigest()}
	m, err := p.sections.next()
	for ; err == nil; m, err = p.sections.next() {
		if err = p.replay(&m); err != nil {
			break
		}
	}
	p.extent.Torn = in.torn
	if err == io.EOF && p.core == nil {
		return p.extent, errors.New("record: the recording ends before its first record is complete")
	}
	if err == io.EOF {
		err = nil
	}
	return p.extent, err
}

// replayer replays a recording.
type replayer struct {
	sections sections
	options  Options
	extent   Extent
	at       time.Time // of the latest section
	members  []vsr.Member
	core     *vsr.Replica
	answers  answers
	digest   digest
}

// replay replays a section. Exactly the first must be a start.
func (p *replayer) replay(m *section) error {
	f := fields{b: m.content, reading: true}
	switch {
	case m.kind == startRecord && p.core == nil:
		return p.start(m, &f)
	case m.kind == eventRecord && p.core != nil:
		return p.event(m, &f)
	case m.kind == turnRecord && p.core != nil:
		return p.turn(m, &f)
	}
	return damaged(m.number, fmt.Errorf("kind %d cannot be in this place", m.kind))
}

// start makes the core.
func (p *replayer) start(m *section, f *fields) error {
	var s start
	f.start(&s)
	if err := f.end(); err != nil {
		return damaged(m.number, err)
	}
	c := &s.config
	if p.options.Change != nil {
		p.options.Change(c)
	}
	c.Detector, c.Rand = &p.answers, rand.New(&p.answers)
	p.members, p.extent.ID, p.at = c.Members.Members, c.Members.Members[c.Self].ID, s.now
	p.answers.follow(m)
	if err := p.guarded(func() { p.core = vsr.New(*c, s.disk, s.now) }); err != nil {
		return err
	}
	return p.drewNoMore(m)
}

// event replays an event.
func (p *replayer) event(m *section, f *fields) error {
	var e vsr.Event
	f.visit(&p.at, &e)
	if err := f.end(); err != nil {
		return damaged(m.number, err)
	}
	if err := p.drewNoLess(); err != nil {
		return err
	}
	p.extent.Events++
	p.answers.follow(m)
	if err := p.guarded(func() { p.core.Step(p.at, e) }); err != nil {
		return err
	}
	p.digest.results(e)
	p.look(&Moment{Event: e})
	return p.drewNoMore(m)
}

// turn ends a turn, and compares its results.
func (p *replayer) turn(m *section, f *fields) error {
	var recorded uint64
	f.visit(&p.at, &recorded)
	if err := f.end(); err != nil {
		return damaged(m.number, err)
	}
	var out vsr.Output
	var broken error
	if err := p.guarded(func() { out = p.core.Ready(p.at); broken = p.core.Check() }); err != nil {
		return err
	}
	p.look(&Moment{Output: &out})
	if err := cmp.Or(p.drewNoMore(m), p.drewNoLess()); err != nil {
		return err
	}
	if broken != nil {
		return p.difference(fmt.Errorf("the core breaks an invariant: %w", broken))
	}
	if p.digest.output(p.core.Header(), &out) != recorded {
		lines := append([]string{"the results differ from those recorded; the output of this turn is now:"},
			outputInWords(&out, p.name)...)
		return p.difference(errors.New(strings.Join(lines, "\n    ")))
	}
	p.extent.Turns++
	p.answers.follow(m)
	return nil
}

// guarded calls do, and returns a panic as a Difference.
func (p *replayer) guarded(do func()) (err error) {
	defer func() {
		if x := recover(); x != nil {
			err = p.difference(fmt.Errorf("the core panics: %v\n%s", x, debug.Stack()))
		}
	}()
	do()
	return nil
}

// drewNoMore returns a Difference if the core has drawn more random numbers than recorded, except at the end of a
// recording, where they may be missing.
func (p *replayer) drewNoMore(m *section) error {
	if p.answers.missing > 0 && !m.last {
		return p.difference(errors.New("the core draws more random numbers than the recorded one"))
	}
	return nil
}

// drewNoLess returns a Difference if the core has not drawn all random numbers recorded so far.
func (p *replayer) drewNoLess() error {
	if n := len(p.answers.draws); n > 0 {
		return p.difference(fmt.Errorf("the core draws fewer random numbers than the recorded one, by %d", n))
	}
	return nil
}

func (p *replayer) difference(err error) error {
	return &Difference{Turn: p.extent.Turns + 1, Index: p.extent.Events, At: p.at, Err: err}
}

// look calls Options.Look.
func (p *replayer) look(m *Moment) {
	if p.options.Look != nil {
		m.Turn, m.Index, m.At, m.Core, m.name = p.extent.Turns+1, p.extent.Events, p.at, p.core, p.name
		p.options.Look(m)
	}
}

// name returns a member's name.
func (p *replayer) name(i vsr.Index) string {
	if i < 0 || int(i) >= len(p.members) {
		return fmt.Sprintf("member %d", i)
	}
	return p.members[i].ID
}
