package vsr

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// walk performs random steps of a group: it delivers any message, any number of times or never,
// completes any save, crashes members with any part of their saves durable, and makes suspicions,
// proposals and snapshots. Time passes only with heartbeats.
type walk struct {
	g     *testGroup
	rnd   *rand.Rand
	steps []string
}

func newWalk(seed uint64) *walk {
	w := &walk{rnd: rand.New(rand.NewPCG(seed, 1))}
	w.g = newTestGroup([]int{3, 3, 2, 5, 4}[w.rnd.IntN(5)])
	w.g.config.KeepLog = int64(w.rnd.IntN(2)) << 20
	w.g.config.Tail = int64(w.rnd.IntN(2)) << 20
	w.g.form()
	w.g.onto = func(line string) { w.steps = append(w.steps, line) }
	return w
}

// step performs one random event. Most of the time it moves a message or completes a save, because
// otherwise the group would make no progress.
func (w *walk) step() {
	h := w.g.hosts[w.rnd.IntN(len(w.g.hosts))]
	switch choice := w.rnd.IntN(40); {
	case choice < 22:
		w.message()
	case h.core == nil:
		w.did("%s starts", h.id)
		w.g.start(h)
	case choice < 31:
		if n := len(h.unsaved); n > 0 {
			w.g.saved(h, 1+w.rnd.IntN(n))
		}
	case choice < 33:
		w.did("%s suspects", h.id)
		w.g.suspect(h)
	case choice == 33:
		w.did("%s crashes", h.id)
		w.g.crash(h, w.rnd.IntN(len(h.unsaved)+1))
	case choice == 34:
		w.g.heartbeat(h)
	case choice == 35 && h.machine.applied > h.core.snapshot.Last.Op:
		w.did("%s takes a snapshot", h.id)
		w.g.keep(w.g.takeSnapshot(h))
	case choice == 36:
		w.g.history.readAsked(h, beginRead(h.core, w.g.now))
		w.g.turn(h)
	case choice == 37 && (h.full || w.rnd.IntN(10) == 0):
		w.did("%s has a full disk: %v", h.id, !h.full)
		w.g.fill(h, !h.full)
	default:
		w.propose(h)
	}
}

func (w *walk) did(format string, args ...any) {
	w.steps = append(w.steps, "# "+fmt.Sprintf(format, args...))
}

// message delivers, loses or duplicates a message, not always the oldest.
func (w *walk) message() {
	n := len(w.g.transit)
	if n == 0 {
		return
	}
	m := w.g.transit[min(w.rnd.IntN(n), w.rnd.IntN(n))]
	switch w.rnd.IntN(12) {
	case 0:
		w.g.drop(m)
	case 1:
		w.g.receive(m)
	default:
		w.g.deliver(m)
	}
}

func (w *walk) propose(h *host) {
	body := fmt.Sprintf("x=%d", len(w.steps))
	if h.core.isPrimary() && w.rnd.IntN(2) == 0 {
		w.g.propose(h, body)
	} else if _, err := proposeTo(h.core, w.g.now, []byte(body)); err != nil {
		w.did("%s refuses: %v", h.id, err)
	}
	w.g.turn(h)
}

// keep records the first error.
func (g *testGroup) keep(err error) {
	if g.broken == nil {
		g.broken = err
	}
}

func (w *walk) run(steps int) {
	for range steps {
		if w.g.broken != nil {
			return
		}
		w.step()
	}
}

// heal starts all members, delivers all messages, and gives the group time.
func (w *walk) heal() {
	for _, h := range w.g.hosts {
		if h.core == nil {
			w.g.start(h)
		}
		w.g.fill(h, false)
	}
	w.g.fast = true
	for range 600 {
		w.g.tick(w.g.config.Heartbeat)
		w.g.stabilize()
		if w.g.broken != nil || w.whole() == nil {
			return
		}
	}
}

// whole returns an error if the group is not in one view with one log.
func (w *walk) whole() error {
	first := w.g.hosts[0].core
	primaries := 0
	for _, h := range w.g.hosts {
		r := h.core
		if r == nil {
			return fmt.Errorf("%s has stopped", h.id)
		}
		if r.status != normal || r.head.View != first.head.View || r.log.last != first.log.last || r.applied != r.log.last.Op {
			return fmt.Errorf("%s is %s, with log %v applied up to %d; %s's is %v in view %d", h.id, stateText(r), r.log.last, r.applied,
				w.g.hosts[0].id, first.log.last, first.head.View)
		}
		if r.isPrimary() {
			primaries++
		}
	}
	if primaries != 1 {
		return fmt.Errorf("%d primaries", primaries)
	}
	return nil
}

// TestWalks checks section 11 after every step of many walks, and that each group converges in the
// end.
func TestWalks(t *testing.T) {
	walks := uint64(60)
	if testing.Short() {
		walks = 15
	}
	views, ops := 0, 0
	for seed := range walks {
		w := newWalk(seed)
		w.run(300)
		told := len(w.steps)
		if w.g.broken == nil {
			w.heal()
		}
		require.NoError(t, w.g.broken, "seed %d:\n%s", seed, strings.Join(w.steps, "\n"))
		require.NoError(t, w.whole(), "seed %d, healed after:\n%s", seed, strings.Join(w.steps[:told], "\n"))
		views += int(w.g.hosts[0].core.head.View)
		ops += len(w.g.history.canon)
	}
	require.Greater(t, views, int(walks), "too few view changes to show anything")
	require.Greater(t, ops, 10*int(walks), "too few operations to show anything")
}

// TestSameEventsSameOutputs runs walks twice: the core has no randomness but the given source, and
// depends on no map order.
func TestSameEventsSameOutputs(t *testing.T) {
	for seed := range uint64(20) {
		first, second := newWalk(seed), newWalk(seed)
		first.run(300)
		second.run(300)
		require.Equal(t, first.steps, second.steps, "seed %d", seed)
	}
}
