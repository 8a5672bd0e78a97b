package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smr-go/smr/internal/picture"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/words"
)

func (r *Recording) Note(at time.Duration, host int, what string, args []any) {
	if host < 0 {
		r.ofWorld(at, what, args)
		return
	}
	h := &r.hosts[host]
	switch what {
	case "is": // Turned has drawn it
	case "saves":
		s := args[0].(*vsr.Save)
		h.saves = append(h.saves, unsaved{s.Seq, words.Save(s)})
	case "has saved":
		for seq := args[0].(uint64); len(h.saves) > 0 && h.saves[0].seq <= seq; h.saves = h.saves[1:] {
			r.mark(host, at, picture.Saved, "%s", h.saves[0].text)
		}
	case "has a snapshot at":
		r.mark(host, at, picture.Snapshot, "after op %d", args[0].(vsr.Viewstamp).Op)
	case "has restored":
		r.mark(host, at, picture.Restored, "the snapshot after op %d", args[0].(vsr.Viewstamp).Op)
	case "does not apply:":
		r.mark(host, at, picture.Note, "%s", inANote("the fault "+what, args))
		h.lasting, h.why = slices.DeleteFunc(h.lasting, func(s picture.Span) bool { return s.From == at }), ""
	case absenceNames[staysPaused]:
		h.absent = picture.Paused
		r.suffers(at, &fault.Fault{Host: host}, h.absent)
	case absenceNames[staysHung]:
		h.absent = picture.DiskSlow
		r.suffers(at, &fault.Fault{Host: host}, h.absent)
	case "is within reach again":
		r.recovers(host, at, h.absent)
		h.absent = ""
	case "stops:", "goes down in", "has lost its memory":
		h.why = inANote(what, args)
		fallthrough
	default:
		r.mark(host, at, picture.Note, "%s", inANote(what, args))
	}
}

func (r *Recording) ofWorld(at time.Duration, what string, args []any) {
	if r.over {
		return
	}
	switch what {
	case "violated:":
		r.over = true
		r.mark(picture.Everyone, at, picture.Violation, "%s", brokenInWords(args[0].(string), args[1].(string)))
	case "all is healed":
		what = "all faults end"
		for i := range r.hosts {
			for _, kind := range []picture.SpanKind{picture.Paused, picture.DiskSlow, picture.DiskFull} {
				if r.hosts[i].absent != kind {
					r.recovers(i, at, kind)
				}
			}
		}
		fallthrough
	default:
		r.mark(picture.Everyone, at, picture.Note, "%s", inANote(what, args))
	}
}

// brokenInWords describes a violation. A rule alone would read as if it held.
func brokenInWords(rule, text string) string {
	switch rule {
	case "liveness", "too little", "error", "panic":
		return rule + ": " + text
	}
	return "broken: " + rule + ": " + text
}

// inANote describes a note for a picture.
func inANote(what string, args []any) string {
	switch what {
	case "starts, log":
		if base, last := args[0].(vsr.Viewstamp).Op, args[1].(vsr.Viewstamp).Op; last > base {
			return fmt.Sprintf("starts with ops %d to %d in its log, %v", base+1, last, args[2])
		}
		return fmt.Sprintf("starts with no ops in its log, %v", args[2])
	case "loads":
		return fmt.Sprintf("reads %d ops from its log, from op %d on", args[1], args[0].(vsr.Load).From)
	case "has compacted to":
		return fmt.Sprintf("has dropped its log before op %d", args...)
	case "goes down in":
		op := args[0].(vfs.Op)
		return fmt.Sprintf("goes down in the middle of: %s %s", op.Kind, op.Name)
	case "has a bit flipped in":
		return fmt.Sprintf("has a bit flipped in %s, at byte %d", args...)
	case "has a misdirected write in":
		return fmt.Sprintf("has a misdirected write in %s, at byte %d, of %d bytes", args...)
	case "has received", "cannot read its snapshot at":
		return fmt.Sprintf("%s the snapshot after op %d", strings.TrimSuffix(what, " its snapshot at"), args[0].(vsr.Viewstamp).Op)
	}
	for i, a := range args {
		if i > 0 || what != "" {
			what += " "
		}
		what += show(a)
	}
	return what
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
	m.Arrived, m.Fate = at, [...]picture.Fate{world.Arrived: picture.Arrived, world.Lost: picture.Lost, world.CutOff: picture.CutOff, world.Refused: picture.Refused}[fate]
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
