package smr

import (
	"fmt"
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// Health describes whether a replica and its group can serve, as far as the replica knows. A primary
// receives messages of every member, and reports in its heartbeats how each one is. A replica that
// follows no primary knows only of the members whose messages it receives itself.
type Health struct {
	Ready     bool           // calls of Propose and of Read at this replica would succeed now
	Tolerance int            // how many more members may fail before the group stops; 0 if that is not known
	Problem   string         // as in Status
	Live      bool           // the replica's protocol loop runs, which does not depend on other members
	Members   []MemberHealth // in the order of Config.Members
}

// MemberHealth describes one member, as far as the reporting replica knows. The replica itself is one of them.
type MemberHealth struct {
	ID        ID
	Heard     time.Time // when the primary or this replica last received a message of the member; zero if never
	Sends     bool      // messages of the member reach the primary; those of the primary reach this replica
	Receives  bool      // messages of the primary reach the member; those of this replica reach the primary
	Behind    uint64    // number of committed operations that the member has not acknowledged
	Unapplied uint64    // number of committed operations that its state machine has not applied
	Problem   string    // the member's problem, as a sentence; "" if it has none that is known
}

// Health returns the present health of the replica. It never blocks.
func (r *Replica) Health() Health {
	b := &r.status
	b.mu.Lock()
	defer b.mu.Unlock()
	h := Health{Ready: b.health.Ready, Tolerance: b.health.Tolerance, Problem: b.now.Problem, Live: !b.stopped}
	if text := r.loopProblem(b.turnedAt); text != "" && h.Live {
		h.Live, h.Problem = false, text
	}
	h.Ready = h.Ready && h.Live
	for i, m := range b.health.Members {
		h.Members = append(h.Members, MemberHealth{ID: r.cfg.Members[i].ID, Heard: m.Heard, Sends: m.Sends, Receives: m.Receives,
			Behind: uint64(m.Behind), Unapplied: uint64(m.Unapplied), Problem: m.Problem})
	}
	return h
}

// hindrance returns why calls may have to wait, for the end of an error's text; "" if nothing is known.
func (b *board) hindrance() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hinders == "" {
		return ""
	}
	return ": " + b.hinders
}

// loopProblem returns a problem if the protocol loop, which last ran at turned, does not run.
func (r *Replica) loopProblem(turned time.Time) string {
	if time.Since(turned) <= max(time.Second, 20*r.cfg.Heartbeat) {
		return ""
	}
	return fmt.Sprintf("the protocol loop has not run since %s: Config.Transport or Config.Detector does not return, or the process does not run",
		turned.UTC().Format(time.RFC3339))
}

// publishHealth publishes what the core knows at the end of a turn, and why calls may have to wait.
func (b *board) publishHealth(core *vsr.Replica, hinders string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hinders = hinders
	b.health = core.Health(b.members[:0])
	b.turnedAt = time.Now()
}
