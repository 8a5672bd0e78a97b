// Package fault describes the faults of simulated runs: their kinds, the text in which a schedule
// lists them, when they strike, how to simplify a list of them, and how much memory a group may
// lose. It touches no replica; package sim performs faults.
//
// To add a kind, add its name to the constants, a row to the table of kinds, and its effect to the
// table of effects in package sim.
package fault

import (
	"cmp"
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// Fault is one thing that goes wrong, or that an operator does. Every fault of a run is a value of
// this type, whether chance or a schedule chose it: the same faults make the same run.
type Fault struct {
	At    time.Duration // virtual time at which it strikes, or from which its trigger counts
	After *Trigger      // nil: it strikes at At
	Kind  Kind
	Host  int           // the replica that it strikes
	To    int           // the other replica, for kinds that name two; -1: any
	For   time.Duration // how long it lasts; 0: until the kind that ends it, or until all faults end
	N     int64         // an amount: see the kind
	Seed  uint64        // of the random choices in its effect
}

// Check reports why the fault cannot strike a group of that many replicas.
func (f *Fault) Check(replicas int) error {
	trigger := cmp.Or(f.After, &Trigger{})
	switch {
	case min(f.Host, trigger.Host) < 0, f.To < 0 && f.Kind.row().names != anotherOrAny:
		return fmt.Errorf("%v names any replica; only hand-over can", f.Kind)
	case max(f.Host, f.To, trigger.Host) >= replicas:
		return noReplica(max(f.Host, f.To, trigger.Host), replicas)
	case f.At < 0 || f.For < 0:
		return fmt.Errorf("%v at %v for %v: times must not be negative", f.Kind, f.At, f.For)
	}
	return nil
}

// Sensible reports why the fault would have no effect on a group of that many replicas, or none that
// a test can intend. Schedules may contain such faults.
func (f *Fault) Sensible(replicas int) error {
	all := int64(1)<<replicas - 1
	row, stranger := f.Kind.row(), bits.TrailingZeros64(uint64(f.N&^all))
	switch {
	case row.amount == side && stranger < 26:
		return noReplica(stranger, replicas)
	case row.amount == side && (f.N&^all != 0 || f.N == 0 || f.N == all):
		return fmt.Errorf("one side must be some of the replicas a to %s, and not all", Name(replicas-1))
	case row.amount == span && f.N < 0:
		return fmt.Errorf("by %v is negative", time.Duration(f.N))
	case row.amount == share && (f.N < 0 || f.N > 1000):
		return fmt.Errorf("losing must be from 0/1000 to 1000/1000, not %d/1000", f.N)
	case row.amount == count && f.N < 1:
		return fmt.Errorf("n must be 1, the next one, or higher, not %d", f.N)
	case row.ends && f.For == 0:
		return fmt.Errorf("give a time: %s for 5s", f.Kind.form())
	}
	return nil
}

// Cuts reports whether the fault cuts the link between two of n replicas in that direction.
func (f *Fault) Cuts(from, to, n int) bool {
	cuts := f.Kind.row().cuts
	return cuts != nil && from != to && cuts(f, from, to, n)
}

// Name returns the ID of a replica: a, b, c, and so on.
func Name(host int) string { return string(rune('a' + host)) }

// noReplica is the error of a name that the group does not have.
func noReplica(host, replicas int) error {
	var names []string
	for i := range replicas {
		names = append(names, Name(i))
	}
	return fmt.Errorf("there is no replica %q: the group has %s", Name(host), list(names))
}

// list returns names as "a, b and c".
func list(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
