package picture

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// document is the input of the page's script. Its tables refer to texts by their index in Texts. Times are
// in nanoseconds.
type document struct {
	Title    string   `json:"title"`
	Failure  string   `json:"failure"`
	Command  string   `json:"command"`
	Schedule []string `json:"schedule"`
	Unit     string   `json:"unit"`
	History  string   `json:"history"`
	End      int64    `json:"end"`
	Lanes    []lane   `json:"lanes"`
	Texts    []string `json:"texts"`
	Messages table    `json:"messages"`
	Spans    table    `json:"spans"`
	Cuts     table    `json:"cuts"`
	Marks    table    `json:"marks"`
	States   table    `json:"states"`
	Ops      table    `json:"ops"`
}

// table holds rows of numbers as columns, which take half the bytes in JSON. The first column, which never falls, holds the
// differences from row to row.
type table map[string][]int64

type lane struct {
	Name   string `json:"name"`
	Client bool   `json:"client"`
}

// encoder makes a document of a run.
type encoder struct {
	document
	places map[string]int64 // the indexes of Texts
	err    error            // the first time or lane that does not exist
}

func encode(r *Run) (*document, error) {
	e := &encoder{places: map[string]int64{}, document: document{
		Title: r.Title, Failure: r.Failure, Command: r.Command, Schedule: append([]string{}, r.Schedule...), Unit: cmp.Or(r.Unit, "fault"), History: r.History,
		End: int64(r.End), Lanes: []lane{}, Texts: []string{},
	}}
	for _, l := range r.Lanes {
		e.Lanes = append(e.Lanes, lane(l))
	}
	e.Messages = tabulate(e, r.Messages, e.message, "sent", "took", "from", "to", "kind", "text", "fate")
	e.Spans = tabulate(e, e.oneAtATime(r.Spans), e.span, "from", "long", "lane", "kind", "view", "text")
	e.Cuts = tabulate(e, r.Cuts, e.cut, "since", "long", "from", "to")
	e.Marks = tabulate(e, r.Marks, e.mark, "at", "lane", "kind", "text")
	e.States = tabulate(e, r.States, e.state, "at", "lane", "text")
	e.Ops = tabulate(e, r.Ops, e.op, "at", "number", "text", "result", "before", "after")
	return &e.document, e.err
}

// tabulate returns the table of all in order of time, which is in the first column, with equal times in their order.
func tabulate[T any](e *encoder, all []T, row func(*T) []int64, names ...string) table {
	t, rows := table{}, make([][]int64, len(all))
	for _, name := range names {
		t[name] = []int64{} // not null in JSON
	}
	for i := range all {
		rows[i] = row(&all[i])
	}
	slices.SortStableFunc(rows, func(a, b []int64) int { return cmp.Compare(a[0], b[0]) })
	if len(rows) > 0 && rows[0][0] < 0 {
		e.fail("there is a time of %v; a run begins at 0", time.Duration(rows[0][0]))
	}
	last := int64(0)
	for _, row := range rows {
		e.until(time.Duration(row[0]))
		row[0], last = row[0]-last, row[0]
		for i, n := range row {
			t[names[i]] = append(t[names[i]], n)
		}
	}
	return t
}

func (e *encoder) message(m *Message) []int64 {
	took := max(m.Arrived-m.Sent, 0)
	if m.Fate == UnderWay {
		took = 0
	}
	e.until(m.Sent + took)
	return []int64{int64(m.Sent), int64(took), e.lane(m.From), e.lane(m.To), e.text(m.Kind), e.text(m.Text), int64(m.Fate)}
}

func (e *encoder) span(s *Span) []int64 {
	return []int64{int64(s.From), long(s.From, s.To), e.lane(s.Lane), e.text(string(s.Kind)), int64(s.View), e.text(s.Text)}
}

func (e *encoder) cut(c *Cut) []int64 {
	return []int64{int64(c.Since), long(c.Since, c.Until), e.lane(c.From), e.lane(c.To)}
}

func (e *encoder) mark(m *Mark) []int64 {
	if m.Lane != Everyone {
		e.lane(m.Lane)
	}
	return []int64{int64(m.At), int64(m.Lane), e.text(string(m.Kind)), e.text(m.Text)}
}

func (e *encoder) state(s *State) []int64 {
	return []int64{int64(s.At), e.lane(s.Lane), e.text(s.Text)}
}

func (e *encoder) op(o *Op) []int64 {
	return []int64{int64(o.At), int64(o.Number), e.text(o.Text), e.text(o.Result), e.text(o.Before), e.text(o.After)}
}

// lane returns the index of a lane, which must exist.
func (e *encoder) lane(i int) int64 {
	if i < 0 || i >= len(e.Lanes) {
		e.fail("there is no lane %d; the run has %d", i, len(e.Lanes))
	}
	return int64(i)
}

func (e *encoder) fail(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf(format, args...)
	}
}

// text returns the index of s in Texts, and adds s if necessary.
func (e *encoder) text(s string) int64 {
	place, known := e.places[s]
	if !known {
		place = int64(len(e.Texts))
		e.places[s] = place
		e.Texts = append(e.Texts, s)
	}
	return place
}

// long returns a duration; -1 if it lasts until the end of the run.
func long(from, to time.Duration) int64 { return max(int64(to-from), -1) }

// until moves the end of the run to at, if that is later.
func (e *encoder) until(at time.Duration) { e.End = max(e.End, int64(at)) }

// rank orders what a replica can be at the same time: the page draws the kind with the highest rank.
// Kinds without a rank are drawn in addition.
var rank = map[SpanKind]int{Forming: 1, Outside: 1, Backup: 1, Primary: 1, ViewChange: 1, Paused: 2, Down: 3}

// oneAtATime cuts the spans of each replica so that those with a rank do not overlap.
func (e *encoder) oneAtATime(spans []Span) (all []Span) {
	ranked := make([][]Span, len(e.Lanes))
	for _, s := range spans {
		if e.lane(s.Lane); e.err != nil || rank[s.Kind] == 0 || e.Lanes[s.Lane].Client {
			all = append(all, s)
		} else {
			ranked[s.Lane] = append(ranked[s.Lane], s)
		}
	}
	for _, spans := range ranked {
		all = append(all, visible(spans)...)
	}
	return all
}

// forever is the end of a span that lasts until the end of the run.
const forever = time.Duration(math.MaxInt64)

// visible returns the parts of one replica's spans that no span of a higher rank covers.
func visible(spans []Span) (parts []Span) {
	var times []time.Duration
	for i := range spans {
		if s := &spans[i]; s.To < s.From {
			s.To = forever
		}
		times = append(times, spans[i].From, spans[i].To)
	}
	slices.SortStableFunc(spans, func(a, b Span) int { return cmp.Compare(a.From, b.From) })
	slices.Sort(times)
	times = slices.Compact(times)
	var present []Span // that began and have not ended
	for i := range len(times) - 1 {
		for len(spans) > 0 && spans[0].From <= times[i] {
			present, spans = append(present, spans[0]), spans[1:]
		}
		present = slices.DeleteFunc(present, func(s Span) bool { return s.To <= times[i] })
		if len(present) == 0 {
			continue
		}
		part := highest(present)
		part.From, part.To = times[i], times[i+1]
		if n := len(parts); n > 0 && parts[n-1].continuedBy(part) {
			parts[n-1].To = part.To
		} else {
			parts = append(parts, part)
		}
	}
	if n := len(parts); n > 0 && parts[n-1].To == forever {
		parts[n-1].To = -1
	}
	return parts
}

// highest returns the span with the highest rank, the latest of several. A pause takes over the view
// and, if it has no text, the name of the role that it interrupts.
func highest(present []Span) (top Span) {
	var role Span
	for _, s := range present {
		if rank[s.Kind] >= rank[top.Kind] {
			top = s
		}
		if rank[s.Kind] == rank[Primary] {
			role = s
		}
	}
	if top.Kind == Paused && role.Kind != "" {
		top.View, top.Text = role.View, cmp.Or(top.Text, fmt.Sprintf("%s of view %d", role.Kind, role.View))
	}
	return top
}

// continuedBy reports whether next begins where s ends and is otherwise the same.
func (s *Span) continuedBy(next Span) bool {
	return s.To == next.From && s.Kind == next.Kind && s.View == next.View && s.Text == next.Text
}
