package sim

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/excerpt"
	"github.com/smr-go/smr/internal/picture"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/words"
)

// Recording is a Watcher that draws a run. Of a long run it keeps the latest events. Its methods without a comment are
// those of Watcher.
type Recording struct {
	// Words describes the faults from now on; "" is their line in a schedule.
	Words string
	// Show returns a state of the state machine as text. Nil: states are not shown.
	Show func(m smr.StateMachine) string

	replicas int
	end      time.Duration
	over     bool // a rule is broken; later events are not drawn

	flights flights
	spans   latest[picture.Span] // that are over
	cuts    latest[picture.Cut]  // that are over
	marks   latest[picture.Mark]
	states  latest[picture.State]
	ops     latest[picture.Op]

	hosts   []recorded
	severed map[[2]int]time.Duration // the cut links, and the time of each cut
	callers []place                  // in the order of their first calls; their lanes follow those of the replicas
	calls   []*Call                  // under way
	ended   latest[*Call]
}

// recorded is the present state of a host.
type recorded struct {
	role    picture.Span   // its role, or that it is down; without a kind at the beginning
	lasting []picture.Span // of faults
	state   vsr.State
	why     string           // the reason why it goes down
	outage  picture.SpanKind // the reason why it is out of reach at the end, if that is drawn
}

// mostOps is the number of operations that are kept, with their states.
const mostOps = 2000

// place is a caller at a replica.
type place struct{ host, caller int }

// NewRecording returns a recording of a group. It keeps at most that many messages, and as many of everything else.
func NewRecording(replicas, most int) *Recording {
	most = max(most, 1)
	r := &Recording{replicas: replicas, hosts: make([]recorded, replicas), severed: map[[2]int]time.Duration{},
		flights: flights{ring: make([]flight, most)}, spans: latest[picture.Span]{most: most},
		cuts:  latest[picture.Cut]{most: most},
		marks: latest[picture.Mark]{most: most}, states: latest[picture.State]{most: most}}
	r.flights.copies.most, r.ended.most, r.ops.most = most, 100, min(most, mostOps)
	for i := range replicas {
		r.hosts[i].role = picture.Span{Lane: i, Kind: picture.Down}
	}
	return r
}

// Picture returns the picture of the run so far, without title, command and history.
func (r *Recording) Picture(rep *Report) *picture.Run {
	p := &picture.Run{Messages: r.flights.messages(), Spans: r.spans.list(), Cuts: r.cuts.list(),
		Marks: r.marks.list(), States: r.states.list(), Ops: r.ops.list(), End: max(r.end, rep.Virtual)}
	if rep.Violation != nil {
		p.Failure = rep.Violation.Error()
	}
	for i := range rep.Schedule.Faults {
		p.Schedule = append(p.Schedule, rep.Schedule.Faults[i].String())
	}
	for i := range r.hosts {
		h := &r.hosts[i]
		p.Spans = append(append(p.Spans, h.role), h.lasting...)
	}
	for i := range r.replicas {
		for j := range r.replicas {
			if since, ok := r.severed[[2]int{i, j}]; ok {
				p.Cuts = append(p.Cuts, picture.Cut{From: i, To: j, Since: since, Until: p.End})
			}
		}
	}
	for _, c := range r.calls {
		p.Spans = append(p.Spans, picture.Span{Lane: r.lane(c), From: c.Began, To: p.End, Kind: picture.Open,
			Text: c.String()})
	}
	for i := range p.Spans {
		if s := &p.Spans[i]; s.To < s.From || s.To > p.End {
			s.To = p.End
		}
	}
	r.arrange(p)
	return p
}

// Calls describes the last n calls that have ended, and then all calls under way.
func (r *Recording) Calls(n int) (lines []string) {
	ended := r.ended.list()
	for _, c := range ended[max(0, len(ended)-n):] {
		lines = append(lines, fmt.Sprintf("%.3f s  %s by caller %d at %s", c.Ended.Seconds(), c, c.Caller,
			fault.Name(c.Host)))
	}
	for _, c := range r.calls {
		lines = append(lines, fmt.Sprintf("%.3f s  %s by caller %d at %s: no answer yet", c.Began.Seconds(), c,
			c.Caller, fault.Name(c.Host)))
	}
	return lines
}

// arrange groups the lanes of callers by replica.
func (r *Recording) arrange(p *picture.Run) {
	for i := range r.replicas {
		p.Lanes = append(p.Lanes, picture.Lane{Name: fault.Name(i)})
	}
	order := slices.Clone(r.callers)
	slices.SortFunc(order, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.host, b.host), cmp.Compare(a.caller, b.caller))
	})
	for _, c := range order {
		p.Lanes = append(p.Lanes, picture.Lane{Name: fmt.Sprintf("caller %d at %s", c.caller, fault.Name(c.host)),
			Client: true})
	}
	for i := range p.Spans {
		if s := &p.Spans[i]; s.Lane >= r.replicas {
			s.Lane = r.replicas + slices.Index(order, r.callers[s.Lane-r.replicas])
		}
	}
}

// lane returns the lane of a caller before arrange.
func (r *Recording) lane(c *Call) int {
	return r.replicas + slices.IndexFunc(r.callers, func(x place) bool { return x == place{c.Host, c.Caller} })
}

func (r *Recording) mark(lane int, at time.Duration, kind picture.MarkKind, format string, args ...any) {
	r.end = max(r.end, at)
	r.marks.add(picture.Mark{Lane: lane, At: at, Kind: kind, Text: fmt.Sprintf(format, args...)})
}

func (r *Recording) Sent(at time.Duration, id uint64, from, to int, m vsr.Message) {
	r.end = max(r.end, at)
	kind := vsr.KindOf(m).String()
	r.flights.begin(id, picture.Message{From: from, To: to, Sent: at, Kind: kind, Text: words.Message(m)[len(kind)+1:],
		Fate: picture.UnderWay})
}

func (r *Recording) Ended(at time.Duration, id uint64, fate world.Fate) {
	r.end = max(r.end, at)
	r.flights.end(id, at, fate)
}

func (r *Recording) Turned(at time.Duration, host int, now *vsr.State) {
	h := &r.hosts[host]
	if was := &h.state; now.Commit > was.Commit {
		r.mark(host, at, picture.Commit, "%d → %d", was.Commit, now.Commit)
	}
	if kind := kindsOfPhases[now.Phase]; kind != h.role.Kind || uint64(now.Head.View) != h.role.View {
		r.becomes(host, picture.Span{From: at, Kind: kind, View: uint64(now.Head.View)})
	}
	if text := stateInWords(now); text != stateInWords(&h.state) {
		r.states.add(picture.State{Lane: host, At: at, Text: text})
	}
	h.state = *now
}

var kindsOfPhases = [...]picture.SpanKind{vsr.Forming: picture.Forming, vsr.Outside: picture.Outside,
	vsr.InViewChange: picture.ViewChange, vsr.Backup: picture.Backup, vsr.Primary: picture.Primary}

func stateInWords(s *vsr.State) string {
	text := fmt.Sprintf("phase=%v view=%d log=%d..%v commit=%d applied=%d snapshot=%d", s.Phase, s.Head.View, s.First,
		s.Last, s.Commit, s.Applied, s.Snapshot)
	if s.Problem != "" {
		text += " problem: " + s.Problem
	}
	return text
}

// becomes ends the role of a host and begins the next.
func (r *Recording) becomes(host int, next picture.Span) {
	h := &r.hosts[host]
	if h.role.Kind != "" {
		h.role.To = next.From
		r.spans.add(h.role)
	}
	next.Lane, next.To = host, -1
	h.role = next
}

func (r *Recording) Lived(at time.Duration, host int, up bool) {
	h := &r.hosts[host]
	if up {
		h.state = vsr.State{}
		return
	}
	r.becomes(host, picture.Span{From: at, Kind: picture.Down, Text: h.why})
	r.states.add(picture.State{Lane: host, At: at, Text: "down"})
	h.why = ""
}

func (r *Recording) Linked(at time.Duration, from, to int, whole bool) {
	link := [2]int{from, to}
	if !whole {
		r.severed[link] = at
		return
	}
	r.cuts.add(picture.Cut{From: from, To: to, Since: r.severed[link], Until: at})
	delete(r.severed, link)
}

func (r *Recording) Executed(at time.Duration, what string, op smr.Op, result []byte, m smr.StateMachine) {
	x := picture.Op{Number: op.Number, At: at, Text: what, Result: excerpt.Of(result), Before: "the initial state"}
	if n := len(r.ops.all); n > 0 {
		x.Before = r.ops.all[n-1].After
	}
	if r.Show != nil {
		x.After = r.Show(m)
	}
	r.ops.add(x)
}

func (r *Recording) Called(at time.Duration, c *Call) {
	r.end = max(r.end, at)
	if r.lane(c) < r.replicas {
		r.callers = append(r.callers, place{c.Host, c.Caller})
	}
	r.calls = append(r.calls, c)
}

func (r *Recording) Returned(at time.Duration, c *Call) {
	r.end = max(r.end, at)
	r.calls = without(r.calls, c)
	r.ended.add(c)
	kinds := [...]picture.SpanKind{Pending: picture.Open, Answered: picture.Answered, NotApplied: picture.NotApplied,
		Unknown: picture.Unknown}
	r.spans.add(picture.Span{Lane: r.lane(c), From: c.Began, To: at, Kind: kinds[c.Outcome], Text: c.String()})
}
