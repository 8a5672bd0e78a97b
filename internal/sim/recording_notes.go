package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smr-go/smr/internal/picture"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
)

func (r *Recording) Note(at time.Duration, host int, what string, args []any) {
	text := fmt.Sprintf(what, args...)
	if host < 0 {
		r.noteAll(at, what, text)
		return
	}
	h := &r.hosts[host]
	switch what {
	case noteTurned, noteSaves: // drawn by Turned, and when it is durable
	case noteSaved:
		r.mark(host, at, picture.Saved, "%s", args...)
	case noteSnapshot:
		r.mark(host, at, picture.Snapshot, "after op %d", args...)
	case noteRestored:
		r.mark(host, at, picture.Restored, "the snapshot after op %d", args...)
	case noteRefused:
		r.mark(host, at, picture.Note, "%s", text)
		h.lasting, h.why = slices.DeleteFunc(h.lasting, func(s picture.Span) bool { return s.From == at }), ""
	case outages[outagePaused].note:
		h.outage = picture.Paused
		r.suffers(at, &fault.Fault{Host: host}, h.outage)
	case outages[outageHung].note:
		h.outage = picture.DiskSlow
		r.suffers(at, &fault.Fault{Host: host}, h.outage)
	case notePresent:
		r.recovers(host, at, h.outage)
		h.outage = ""
	case noteStops, noteGoesDown, noteLost:
		h.why = text
		fallthrough
	default:
		r.mark(host, at, picture.Note, "%s", text)
	}
}

func (r *Recording) noteAll(at time.Duration, what, text string) {
	switch {
	case r.over:
	case what == noteViolated:
		r.over = true
		r.mark(picture.Everyone, at, picture.Violation, "%s", text)
	default:
		r.mark(picture.Everyone, at, picture.Note, "%s", text)
	}
	for i := range r.hosts {
		for _, kind := range []picture.SpanKind{picture.Paused, picture.DiskSlow, picture.DiskFull} {
			if what == noteHealed && r.hosts[i].outage != kind {
				r.recovers(i, at, kind)
			}
		}
	}
}

func (r *Recording) Faulted(at time.Duration, f *fault.Fault) {
	lane := f.Host
	if f.Kind.NamesNone() {
		lane = picture.Everyone
	}
	words, why := strings.TrimPrefix(f.String(), fmt.Sprintf("at %v ", f.At)), f.Kind.String()
	if r.Words != "" {
		words = r.Words
		why, _, _ = strings.Cut(words, " ")
	}
	r.mark(lane, at, picture.Fault, "%s", words)
	switch f.Kind {
	case fault.Crash, fault.PowerCut, fault.Stop, fault.Wipe:
		r.hosts[f.Host].why = why
	case fault.Pause, fault.Suspend:
		r.suffers(at, f, picture.Paused)
	case fault.Resume:
		r.recovers(f.Host, at, picture.Paused)
	case fault.SlowDisk:
		r.recovers(f.Host, at, picture.DiskSlow) // the latest one counts
		if f.N > 0 {
			r.suffers(at, f, picture.DiskSlow)
		}
	case fault.FullDisk:
		r.suffers(at, f, picture.DiskFull)
	case fault.Space:
		r.recovers(f.Host, at, picture.DiskFull)
	}
}

// suffers begins a span that lasts as long as the fault.
func (r *Recording) suffers(at time.Duration, f *fault.Fault, kind picture.SpanKind) {
	s := picture.Span{Lane: f.Host, From: at, To: at + f.For, Kind: kind}
	if f.For == 0 {
		s.To = fault.Forever
	}
	h := &r.hosts[f.Host]
	h.lasting = slices.DeleteFunc(h.lasting, func(s picture.Span) bool {
		if s.To <= at {
			r.spans.add(s)
		}
		return s.To <= at
	})
	h.lasting = append(h.lasting, s)
}

// recovers ends the spans of these kinds.
func (r *Recording) recovers(host int, at time.Duration, kind picture.SpanKind) {
	h := &r.hosts[host]
	for i := range h.lasting {
		if s := &h.lasting[i]; s.Kind == kind {
			s.To = min(s.To, at)
		}
	}
}

// latest keeps the elements that were added last.
type latest[T any] struct {
	all  []T
	most int
}

func (l *latest[T]) add(x T) {
	if l.all = append(l.all, x); len(l.all) >= 2*l.most {
		l.all = l.all[:copy(l.all, l.all[l.most:])]
	}
}

func (l *latest[T]) list() []T { return append([]T(nil), l.all[max(0, len(l.all)-l.most):]...) }

// flights are the messages that were sent last, by their numbers.
type flights struct {
	ring   []flight
	last   uint64
	copies latest[picture.Message] // of messages that arrived more than once
}

type flight struct {
	id      uint64
	message picture.Message
}

func (f *flights) begin(id uint64, m picture.Message) {
	f.ring[id%uint64(len(f.ring))], f.last = flight{id, m}, id
}

func (f *flights) end(id uint64, at time.Duration, fate world.Fate) {
	x := &f.ring[id%uint64(len(f.ring))]
	if x.id != id {
		return // no longer kept
	}
	m := x.message
	m.Arrived, m.Fate = at, [...]picture.Fate{world.Arrived: picture.Arrived, world.Lost: picture.Lost,
		world.CutOff: picture.CutOff, world.Refused: picture.Refused}[fate]
	if x.message.Fate == picture.UnderWay {
		x.message = m
	} else {
		f.copies.add(m)
	}
}

// messages returns all messages in the order of sending, then the copies.
func (f *flights) messages() (all []picture.Message) {
	n := uint64(len(f.ring))
	for id := f.last + 1 - min(f.last, n); id <= f.last; id++ {
		if x := &f.ring[id%n]; x.id == id {
			all = append(all, x.message)
		}
	}
	return append(all, f.copies.list()...)
}
