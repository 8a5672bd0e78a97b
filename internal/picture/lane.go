package picture

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// rank orders what a replica can be at the same time: the page draws the kind with the highest rank.
// Kinds without a rank are drawn in addition.
var rank = map[SpanKind]int{Forming: 1, Recovering: 1, Backup: 1, Primary: 1, ViewChange: 1, Paused: 2, Down: 3}

// oneAtATime cuts the spans of each replica so that those with a rank do not overlap.
func oneAtATime(lanes []Lane, spans []Span) (all []Span) {
	ranked := make([][]Span, len(lanes))
	for _, s := range spans {
		if lanes[s.Lane].Client || rank[s.Kind] == 0 {
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
	spans = ordered(spans, func(s Span) time.Duration { return s.From })
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
