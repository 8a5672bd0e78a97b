package vsr

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// brokenAt is an invariant broken by an event at one member.
type brokenAt struct {
	event event
	at    *place
	err   error
}

func (b *brokenAt) Error() string { return b.err.Error() }

// failed shows the events that led the exploration to a world with a broken invariant.
func (x *explorer) failed(number uint32, err error) error {
	var path []uint32
	for ; number > 0; number = x.origins[number].parent {
		path = append(path, number)
	}
	slices.Reverse(path)
	var b strings.Builder
	w := x.first
	for _, to := range path {
		x.tellTalk(&b, &w)
		from := x.origins[to]
		at := x.seats[w.seats[from.member]]
		x.tellEvent(&b, at.place, at.steps[from.step].event)
		_, _ = x.take(&w, int(from.member), &at.steps[from.step])
	}
	x.tellTalk(&b, &w)
	if at := (*brokenAt)(nil); errors.As(err, &at) {
		x.tellEvent(&b, at.at, at.event)
	}
	return fmt.Errorf("%w\n%s", err, b.String())
}

func (x *explorer) tellTalk(b *strings.Builder, w *world) {
	_ = x.talk(w, func(t *next) { x.tellEvent(b, t.to, t.event) })
}

func (x *explorer) tellEvent(b *strings.Builder, p *place, ev event) {
	id := p.host.id
	switch ev.kind {
	case deliver:
		m := x.messages[ev.message]
		fmt.Fprintf(b, "deliver %s→%s %s\n", memberNames[m.from:m.from+1], id, messageText(m.message))
	case saved:
		fmt.Fprintf(b, "saved %s %d\n", id, ev.n)
	case crash:
		fmt.Fprintf(b, "crash %s keep=%d; start %s\n", id, ev.n, id)
	case leave:
		fmt.Fprintf(b, "suspect %s (silent %b)", id, ev.silent)
		for _, v := range ev.votes {
			if v > 0 {
				m := x.messages[v-1]
				fmt.Fprintf(b, "; deliver %s→%s %s", memberNames[m.from:m.from+1], id, messageText(m.message))
			}
		}
		fmt.Fprintln(b)
	case propose:
		fmt.Fprintf(b, "propose %s x=%d\n", id, ev.n)
	}
	_, _, _ = x.happen(p, ev, func(line string) { fmt.Fprintf(b, "\t%s\n", line) })
}
