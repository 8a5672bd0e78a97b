// Package judge checks a group of replicas from the outside. Its caller reports observations of each member: the saves
// that its core issues, their durability, the messages that it sends, its state after each turn, the contents of its
// disk when it starts, the entries that it applies, and the outcomes of calls. From these the judge keeps its own
// account of the log, of every disk, of sessions and of results, and returns an error for the first observation that
// contradicts it (docs/PROTOCOL.md, section 11).
//
// A judge has no goroutine, no lock and no clock, and never looks at a replica by itself. Observations must be reported
// before their consequences: a save before the messages of its turn, and durability before the core learns of it.
package judge

import (
	"fmt"
	"hash/maphash"

	"github.com/smr-go/smr/internal/excerpt"
	"github.com/smr-go/smr/internal/vsr"
)

// Config describes the group to judge.
type Config struct {
	Members   vsr.Membership
	Reference Reference
	Initial   uint64 // Reference's digest of the initial state

	// Results limits the bytes of results that the table keeps for a session (X2). 0: those of a replica.
	Results int64
	// Distinct asserts that no two commands have the same body. Then a command that takes effect twice, under two
	// numbers, is noticed.
	Distinct bool
	// Describe names a command in violations. If it is nil, that is its op and body.
	Describe func(e *vsr.Entry) string
}

// Reference executes the committed log on a state machine of its own.
type Reference interface {
	// Commit takes the next committed entry. It executes it if executed is set, and returns the result and the digest
	// of the state after it. Its error becomes that of the observation.
	Commit(e *vsr.Entry, executed bool) (result []byte, digest uint64, err error)
}

// Violation is the error of an observation that breaks a rule.
type Violation struct {
	Rule string // of docs/PROTOCOL.md: "11.4", "S5"
	Text string
	Op   uint64 // at which it was broken; 0: unknown
}

func (v *Violation) Error() string { return v.Rule + ": " + v.Text }

func violates(rule, format string, args ...any) error {
	return &Violation{Rule: rule, Text: fmt.Sprintf(format, args...)}
}

// Judge is the account of one group. It is not safe for concurrent use.
type Judge struct {
	config  Config
	members []member
	group   vsr.GroupID // the one that is confirmed; zero: none
	ledger  *ledger
	table   sessions
	results []Outcome // by op; [0] is before the first

	reigns   map[epochView]reign
	chunks   map[chunkID]uint64      // hashes of the chunks that were sent
	refused  map[request]bool        // reported to their callers as never applied
	denied   map[string]bool         // their bodies, with Config.Distinct: a call without a number is known by its body
	bodies   map[string]vsr.OpNumber // of executed commands, with Config.Distinct
	calls    []*Call                 // that have ended and have an input
	order    int64                   // of beginnings and ends of calls
	floor    vsr.OpNumber            // the latest state that any caller has seen
	executed int                     // commands
	logs     []vsr.Viewstamp         // scratch of checkQuorums
	seed     maphash.Seed            // of chunks
}

// member is the account of one member.
type member struct {
	id      string
	disk    Disk            // what its disk holds
	memory  Disk            // what its disk will hold once all issued saves are durable
	pending []*vsr.Save     // issued and not known to be durable
	seen    vsr.State       // after its last turn
	applied vsr.OpNumber    // its state machine's last op
	lost    bool            // its memory is lost, and it takes no part (S3)
	led     vsr.View        // the view after the last that it led, even in a turn that did not end; 0: none
	had     []vsr.Viewstamp // the ends of its log before it was lost or lost entries

	reportedGroup bool // it has reported that a confirmed group exists and does not include it (S2)
	tailLost      bool // its disk has lost its latest saves, and no process has opened it since
	forgot        bool // its log has lost entries without its noticing

	acknowledged map[uint64]vsr.OpNumber // by start number, the highest op
	described    []described             // in the order sent
	distrusts    []bool                  // by member: it takes that memory for lost, as after its last turn
	remembers    []vsr.Acknowledged      // as after its last turn
}

// New returns the judge of a group that has not started: all disks are empty.
func New(c Config) *Judge {
	if c.Describe == nil {
		c.Describe = func(e *vsr.Entry) string { return fmt.Sprintf("op %d, %s", e.Op, excerpt.Of(e.Body)) }
	}
	j := &Judge{
		config: c, ledger: newLedger(), table: newSessions(), results: []Outcome{{Digest: c.Initial}},
		reigns: map[epochView]reign{}, chunks: map[chunkID]uint64{}, refused: map[request]bool{},
		denied: map[string]bool{}, bodies: map[string]vsr.OpNumber{}, seed: maphash.MakeSeed(),
	}
	for _, m := range c.Members.Members {
		j.members = append(j.members, member{id: m.ID})
	}
	return j
}

// Disk returns what a member's disk holds.
func (j *Judge) Disk(i int) Disk { return j.members[i].disk }

// Holds reports whether a member's disk holds an entry.
func (j *Judge) Holds(i int, s vsr.Viewstamp) bool { return j.ledger.holds(j.members[i].disk.Last, s) }

// EntryOn returns the entry at an op of the log on a member's disk.
func (j *Judge) EntryOn(i int, op vsr.OpNumber) *vsr.Entry {
	return &j.ledger.find(j.ledger.at(j.members[i].disk.Last, op)).entry
}

// Entry returns the committed entry at an op.
func (j *Judge) Entry(op vsr.OpNumber) *vsr.Entry {
	return &j.ledger.find(j.ledger.committed[op]).entry
}

// Committed returns the viewstamp of the last op that any member knows to be committed.
func (j *Judge) Committed() vsr.Viewstamp { return j.ledger.end() }

// OpOf returns the op of a request that took effect; 0: it did not.
func (j *Judge) OpOf(session, number uint64) vsr.OpNumber {
	return j.table.at[request{session, number}]
}

// Executed returns the number of commands that took effect.
func (j *Judge) Executed() int { return j.executed }
