package vsr

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// brokenAt is an invariant broken by what happens at one member.
type brokenAt struct {
	event event
	at    *place
	err   error
}

func (b *brokenAt) Error() string { return b.err.Error() }

// failed tells how the exploration came to what is broken.
func (x *explorer) failed(i int, err error) error {
	var path []uint32
	for ; i > 0; i = int(x.parents[i]) {
		path = append(path, uint32(i))
	}
	path = append(path, 0)
	var b strings.Builder
	for k := len(path) - 1; k > 0; k-- {
		x.tellStep(&b, int(path[k]), int(path[k-1]))
	}
	if at := (*brokenAt)(nil); errors.As(err, &at) {
		x.tellEvent(&b, at.at, at.event)
	}
	return fmt.Errorf("%w\n%s", err, b.String())
}

// tellStep tells what led from world i to world j.
func (x *explorer) tellStep(b *strings.Builder, i, j int) {
	from := x.world(i)
	for r := range x.scope.replicas {
		steps, _ := x.steps(from[r])
		for k := range steps {
			to := slices.Clone(from)
			if in, err := x.take(to, r, &steps[k]); in && err == nil && slices.Equal(to, x.world(j)) {
				x.tellEvent(b, x.seats[from[r]].place, steps[k].event)
				return
			}
		}
	}
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
