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
	"math"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/smr-go/smr/internal/vsr"
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
	return fmt.Errorf("there is no replica %q: the group has %s", Name(host), List(names))
}

// List returns names as "a, b and c".
func List[S ~string](names []S) string {
	var b strings.Builder
	for i, name := range names {
		switch {
		case i > 0 && i == len(names)-1:
			b.WriteString(" and ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(string(name))
	}
	return b.String()
}

// Trigger is the moment that a fault waits for: right after the Nth event of its kind at Host, from
// the fault's time on.
type Trigger struct {
	Host    int
	When    Moment
	Message vsr.MessageKind // for Sent and Received; 0: any
	Nth     int             // from 1
}

// Matches reports whether an event has the trigger's host, moment and message.
func (t *Trigger) Matches(host int, when Moment, m vsr.MessageKind) bool {
	return t.Host == host && t.When == when && (t.Message == 0 || t.Message == m)
}

// Moment is a kind of event at a replica.
type Moment uint8

// The moments.
const (
	Sent     Moment = iota // a message was sent to one of its receivers
	Received               // a message arrived
	Issued                 // a save was issued
	Saved                  // a save became durable, and the core does not know it yet
	Alone                  // a save became durable, and no other disk holds the log's last entry
	Led                    // the replica became primary
	Changes                // its view change began
	Applied                // it applied operations
	Fetched                // a snapshot was received and is durable, and the core does not know it yet
	Moments                // the number of moments
)

var momentNames = [Moments]string{"sent", "received", "issued", "saved", "alone", "led", "changes", "applied", "fetched"}

func (m Moment) String() string { return momentNames[m] }

// Forever is the end of what lasts until something ends it.
const Forever = time.Duration(math.MaxInt64)

// Until returns the end of what lasts for d from now on; d 0 is Forever.
func Until(now, d time.Duration) time.Duration {
	if d == 0 || d > Forever-now {
		return Forever
	}
	return now + d
}

// Timed holds the lasting faults of one kind at one place. The latest that has not ended counts;
// when it ends before an earlier one, the earlier one counts again.
type Timed []timed

type timed struct {
	until  time.Duration
	amount int64
}

// Begin adds an amount that lasts for d; d 0 is until all faults end. An amount of 0 ends all.
func (x *Timed) Begin(now, d time.Duration, amount int64) {
	if amount == 0 {
		*x = nil
		return
	}
	until := Until(now, d)
	*x = append(slices.DeleteFunc(*x, func(t timed) bool { return t.until <= until }), timed{until, amount})
}

// Amount returns the amount that counts now, or 0.
func (x Timed) Amount(now time.Duration) int64 {
	for _, t := range slices.Backward(x) {
		if now < t.until {
			return t.amount
		}
	}
	return 0
}

// Active reports whether there is an amount now.
func (x Timed) Active(now time.Duration) bool { return x.Amount(now) != 0 }
