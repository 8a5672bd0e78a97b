package smrtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vsr"
)

// On calls do right after each moment of one kind at a replica, from now on. The replica is in the
// middle of its work then, so a crash in do is a crash at that point. The moments are those of a
// schedule:
//
//	sent             it sent a message; "sent Prepare" is a message of that kind
//	received         it received a message; "received Prepare" is a message of that kind
//	issued           it began to write to its log: none of that write is certain to be on disk
//	saved            the write is durable, and the replica has sent nothing about it
//	alone            as saved, and the last operation is on no other disk
//	applied          it applied operations
//	led              it became primary
//	changes          it gave up its primary, and takes part in choosing another
//
// Time does not pass in do: do may make faults, inspect the group and Start proposals, but must not
// wait. An unknown moment or kind of message fails the test with a list of the known ones.
func (g *group) On(id smr.ID, moment string, do func()) {
	g.t.Helper()
	g.hook(id, moment, func() bool { return true }, do)
}

// Once is On for the first such moment only.
func (g *group) Once(id smr.ID, moment string, do func()) {
	g.t.Helper()
	over := false
	g.hook(id, moment, func() bool { first := !over; over = true; return first }, do)
}

func (g *group) hook(id smr.ID, moment string, wanted func() bool, do func()) {
	g.t.Helper()
	g.given("On and Once", "do", do != nil)
	when, kind, err := momentOf(moment)
	if err != nil {
		g.t.Fatalf("smrtest: %v", err)
	}
	g.s.On(g.host(id), when, kind, func() {
		if !g.over && wanted() {
			g.within(fmt.Sprintf("right after %s %s", id, moment), do)
		}
	})
}

// momentOf parses a moment and the kind of message that it is about; 0: any kind.
func momentOf(text string) (when fault.Moment, kind vsr.MessageKind, err error) {
	name, message, _ := strings.Cut(text, " ")
	var names []string
	for when = range fault.Moments {
		names = append(names, when.String())
	}
	when = fault.Moment(slices.Index(names, name))
	kind = vsr.KindNamed(message)
	switch kinds := sim.MessageKinds(); {
	case !slices.Contains(names, name):
		return 0, 0, fmt.Errorf("there is no moment %q; the moments are %q", name, names)
	case message != "" && when != fault.Sent && when != fault.Received:
		return 0, 0, fmt.Errorf("the moment %q has no message: only sent and received have", text)
	case message != "" && !slices.Contains(kinds, message):
		return 0, 0, fmt.Errorf("there is no kind of message %q; the kinds are %q", message, kinds)
	}
	return when, kind, nil
}
