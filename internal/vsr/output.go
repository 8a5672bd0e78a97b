package vsr

import "time"

// Outgoing is a message with its receivers. It is encoded once and sent to each.
type Outgoing struct {
	To      []Index
	Message Message
}

// Output is the work of a turn that the shell must perform. Its slices are valid until the next
// Ready.
type Output struct {
	Save     *Save
	Messages []Outgoing
	Restore  *Snapshot // replace the state by this snapshot before Apply
	Apply    []Entry   // committed entries, in order; the shell answers with Applied
	Loads    []Load
	Settled  []Settled
	Reads    []ReadReady
	Compact  *Compact
	Chunks   []ChunkWanted
	Fetch    []FetchStep
	Retake   bool  // take a snapshot even if none is due: the latest cannot be read (F9)
	Err      error // the replica must stop
}

// Load requests entries that the core no longer holds. The shell answers with Loaded.
type Load struct {
	For      Index     // the member that needs them; this replica itself to apply them
	From, To OpNumber  // inclusive
	Bytes    int64     // about as many at most; at least one entry
	Best     Viewstamp // set if the entries answer a GetState in view View
	View     View
}

// Compact requests that the log be cut up to Keep, and further, but not above Snapshot, while the
// part below Snapshot is larger than Config.KeepLog. The shell answers with Compacted.
type Compact struct {
	Keep     OpNumber
	Snapshot OpNumber
}

// Ready ends a turn and returns the work that it calls for. Changes of the turn share one save, and
// new entries one Prepare.
func (r *Replica) Ready(now time.Time) Output {
	r.advance(now)
	if r.confirmed() {
		r.problem = "" // of the formation
	}
	r.assess()
	r.flushRequests()
	if r.isPrimary() {
		r.flushPrimary()
	}
	if r.ackDue {
		r.ackDue = false
		r.sendTo(r.prim(), &PrepareOK{View: r.head.View, Op: r.checked})
	}
	r.flushReads()
	r.flushTransfer()
	r.flushDamaged()
	r.deliverCommitted()
	r.compact()
	r.out.Save = r.issue()
	r.flushRelays()
	out := r.out
	clear(r.spare[:cap(r.spare)])
	r.out = Output{Messages: r.spare, Reads: r.spareReads}
	r.spare, r.spareReads = reused(out.Messages, maxSpare), reused(out.Reads, maxSpareReaders)
	return out
}

// The lengths up to which the memory of lists is kept between turns.
const (
	maxSpare        = 64 // messages
	maxSpareReaders = 1 << 12
)

// reused returns the memory of a list whose items are no longer needed, unless it is too large.
func reused[T any](list []T, most int) []T {
	if cap(list) > most {
		return nil
	}
	return list[:0]
}
