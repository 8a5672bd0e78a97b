package picture

import (
	"cmp"
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
	Messages *table   `json:"messages"`
	Spans    *table   `json:"spans"`
	Cuts     *table   `json:"cuts"`
	Marks    *table   `json:"marks"`
	States   *table   `json:"states"`
}

type lane struct {
	Name   string `json:"name"`
	Client bool   `json:"client"`
}

// encoder makes a document of a run.
type encoder struct {
	document
	places map[string]int64 // the indexes of Texts
}

func encode(r *Run) *document {
	e := &encoder{places: map[string]int64{}, document: document{
		Title: r.Title, Failure: r.Failure, Command: r.Command, Schedule: append([]string{}, r.Schedule...), Unit: cmp.Or(r.Unit, "fault"), History: r.History,
		End: int64(r.End), Lanes: []lane{}, Texts: []string{},
	}}
	for _, l := range r.Lanes {
		e.Lanes = append(e.Lanes, lane(l))
	}
	e.Messages = e.messages(r.Messages)
	e.Spans = e.spans(oneAtATime(r.Lanes, r.Spans))
	e.Cuts = e.cuts(r.Cuts)
	e.Marks = e.marks(r.Marks)
	e.States = e.states(r.States)
	return &e.document
}

func (e *encoder) messages(all []Message) *table {
	t := newTable("sent", "took", "from", "to", "kind", "text", "fate")
	for _, m := range ordered(all, func(m Message) time.Duration { return m.Sent }) {
		took := max(m.Arrived-m.Sent, 0)
		if m.Fate == UnderWay {
			took = 0
		}
		t.add(int64(m.Sent), int64(took), int64(m.From), int64(m.To), e.text(m.Kind), e.text(m.Text), int64(m.Fate))
		e.until(m.Sent + took)
	}
	return t
}

func (e *encoder) spans(all []Span) *table {
	t := newTable("from", "long", "lane", "kind", "view", "text")
	for _, s := range ordered(all, func(s Span) time.Duration { return s.From }) {
		t.add(int64(s.From), e.long(s.From, s.To), int64(s.Lane), e.text(string(s.Kind)), int64(s.View), e.text(s.Text))
	}
	return t
}

func (e *encoder) cuts(all []Cut) *table {
	t := newTable("since", "long", "from", "to")
	for _, c := range ordered(all, func(c Cut) time.Duration { return c.Since }) {
		t.add(int64(c.Since), e.long(c.Since, c.Until), int64(c.From), int64(c.To))
	}
	return t
}

func (e *encoder) marks(all []Mark) *table {
	t := newTable("at", "lane", "kind", "text")
	for _, m := range ordered(all, func(m Mark) time.Duration { return m.At }) {
		t.add(int64(m.At), int64(m.Lane), e.text(string(m.Kind)), e.text(m.Text))
		e.until(m.At)
	}
	return t
}

func (e *encoder) states(all []State) *table {
	t := newTable("at", "lane", "text")
	for _, s := range ordered(all, func(s State) time.Duration { return s.At }) {
		t.add(int64(s.At), int64(s.Lane), e.text(s.Text))
		e.until(s.At)
	}
	return t
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
func (e *encoder) long(from, to time.Duration) int64 {
	e.until(from)
	return max(int64(to-from), -1)
}

// until moves the end of the run to at, if that is later.
func (e *encoder) until(at time.Duration) { e.End = max(e.End, int64(at)) }

// ordered returns a copy of all in order of time, with equal times in their order.
func ordered[T any](all []T, at func(T) time.Duration) []T {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b T) int { return cmp.Compare(at(a), at(b)) })
	return all
}
