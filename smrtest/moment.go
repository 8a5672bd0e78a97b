package smrtest

import (
	"slices"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim"
)

// Moment is something that a replica does, again and again, for On and Once.
type Moment struct {
	id      smr.ID
	when    sim.Moment
	message string // of Sent and Received; "": any
	words   string
}

// Sent is a replica having sent a message of that kind, "Prepare" for example, to one of the others;
// "" is any kind. The failure of a test that names another one lists the kinds.
func Sent(kind string, id smr.ID) Moment { return Moment{id, sim.Sent, kind, "sent " + kind} }

// Received is a replica having received a message of that kind; "" is any.
func Received(kind string, id smr.ID) Moment {
	return Moment{id, sim.Received, kind, "received " + kind}
}

// Saving is a replica having begun to write to its log: nothing of it is certain to be on disk.
func Saving(id smr.ID) Moment { return Moment{id, sim.Issued, "", "began to save"} }

// Saved is a replica's log being on disk, before it has told anybody.
func Saved(id smr.ID) Moment { return Moment{id, sim.Saved, "", "saved"} }

// Applied is a replica having applied operations.
func Applied(id smr.ID) Moment { return Moment{id, sim.Applied, "", "applied"} }

// Led is a replica having become primary.
func Led(id smr.ID) Moment { return Moment{id, sim.Led, "", "became primary"} }

// Doubted is a replica having given up its primary: it takes part in choosing another.
func Doubted(id smr.ID) Moment { return Moment{id, sim.Changes, "", "gave up its primary"} }

// On has do called right after each moment of this kind from now on: in the middle of whatever the
// replica is doing, so that a crash there is a crash there. Time does not pass in do: it may make
// faults, look around, and Start proposals, and must not wait.
func (g *stage) On(m Moment, do func()) {
	g.t.Helper()
	g.hook(m, func() bool { return true }, do)
}

// Once is On for the first such moment only.
func (g *stage) Once(m Moment, do func()) {
	g.t.Helper()
	over := false
	g.hook(m, func() bool { first := !over; over = true; return first }, do)
}

func (g *stage) hook(m Moment, wanted func() bool, do func()) {
	g.t.Helper()
	g.given("On and Once", "do", do != nil)
	host := g.host(m.id)
	kind := sim.MessageNamed(m.message)
	if kinds := sim.MessageKinds(); m.message != "" && !slices.Contains(kinds, m.message) {
		g.t.Fatalf("smrtest: there is no kind of message %q; the kinds are %q", m.message, kinds)
	}
	g.s.On(host, m.when, kind, func() {
		if !g.over && wanted() {
			g.within("right after "+string(m.id)+" "+m.words, do)
		}
	})
}

// within calls a function of the test's in the middle of the run, which may use the group.
func (g *stage) within(where string, do func()) {
	was, busy := g.inside, g.busy.Swap(false)
	g.inside = where
	do()
	g.inside = was
	if busy && !g.busy.CompareAndSwap(false, true) {
		g.t.Fatal(twoAtOnce)
	}
}
