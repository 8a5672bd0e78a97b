package picture

import (
	"fmt"
	"strings"
	"time"
)

// oddRun has what runs rarely have: more lanes than fit, cuts in one direction, a message from a lane to
// itself, unknown kinds, times of nanoseconds and of hours, very long texts, and two violations, one without
// a lane.
func oddRun() *Run {
	r := &Run{Title: strings.Repeat("a long title, ", 20), Failure: strings.Repeat("a long failure, ", 60), End: 3 * time.Hour}
	for i := range 7 {
		r.Lanes = append(r.Lanes, Lane{Name: string(rune('a' + i))})
	}
	for i := range 20 {
		r.Lanes = append(r.Lanes, Lane{Name: fmt.Sprintf("a client with a long name %d", i), Client: true})
	}
	for i := range 7 {
		at := time.Duration(i) * 20 * time.Minute
		r.Spans = append(r.Spans,
			Span{Lane: i, From: 0, To: at, Kind: ViewChange, View: uint64(i)},
			Span{Lane: i, From: at, To: -1, Kind: "asleep", Text: "a kind that nobody knows"},
			Span{Lane: 7 + 2*i, From: at, To: at + time.Hour, Kind: NotApplied, Text: "put"},
			Span{Lane: 8 + i, From: at, To: -1, Kind: Open, Text: "get"})
		r.Messages = append(r.Messages,
			Message{From: i, To: i, Sent: at, Arrived: at + 40, Kind: "ToMyself"},
			Message{From: i, To: (i + 3) % 7, Sent: at, Arrived: at + 3, Kind: "Odd", Text: strings.Repeat("word ", 400)},
			Message{From: 7 + i, To: i, Sent: at + 2, Arrived: at + 2, Kind: "Call"},
			Message{From: i, To: (i + 1) % 7, Sent: at + 5, Arrived: at + 90*time.Minute, Kind: "Late", Fate: Fate(i % 5)})
		r.Marks = append(r.Marks, Mark{Lane: i, At: at, Kind: "wonder", Text: "a kind of mark that nobody knows"}, Mark{Lane: 7 + i, At: at, Kind: Snapshot})
		r.States = append(r.States, State{Lane: i, At: at, Text: "several\nlines=" + strings.Repeat("x", 300)})
	}
	r.Ops = []Op{{Number: 2, Text: "put <x>", Result: "1", After: "x=1"}, {Number: 5, At: time.Hour, Text: strings.Repeat("long ", 50), Before: "x=1"}}
	r.Cuts = []Cut{{From: 0, To: 1, Since: time.Minute, Until: time.Hour}, {From: 5, To: 1, Since: time.Minute, Until: -1}, {From: 1, To: 5, Since: time.Hour, Until: -1}}
	r.Marks = append(r.Marks, Mark{Lane: Everyone, At: 2 * time.Hour, Kind: Violation, Text: "of nobody's"}, Mark{Lane: 2, At: time.Hour, Kind: Violation})
	return r
}
