package judge

import (
	"bytes"
	"sort"

	"github.com/smr-go/smr/internal/vsr"
)

// ledger has every entry that any member ever put into its log, and the one history of committed entries. Entries with
// the same viewstamp are equal, and so are all entries before them (11.4); so the viewstamp of its last entry
// determines the whole log.
type ledger struct {
	ops       [][]record                    // by op: usually one
	ends      map[viewOfEpoch]vsr.Viewstamp // the last entry of each view: what its primary's log is
	committed []vsr.Viewstamp               // by op; [0] is before the first (11.2)
	known     []vsr.View                    // by op: the view of the first member that knew of it, or an earlier one
}

type viewOfEpoch struct {
	epoch vsr.Epoch
	view  vsr.View
}

type record struct {
	entry  vsr.Entry
	prev   vsr.Viewstamp // of the entry before it
	before vsr.Viewstamp // last entry of an earlier view in a log that ends here
}

// inOrder compares two viewstamps by epoch, then view, then op. It does not use the core's own comparison, which it
// helps to check.
func inOrder(a, b vsr.Viewstamp) int {
	before := a.Epoch < b.Epoch || a.Epoch == b.Epoch && (a.View < b.View || a.View == b.View && a.Op < b.Op)
	switch {
	case a == b:
		return 0
	case before:
		return -1
	}
	return +1
}

func newLedger() *ledger {
	return &ledger{committed: make([]vsr.Viewstamp, 1), known: make([]vsr.View, 1),
		ends: map[viewOfEpoch]vsr.Viewstamp{}}
}

// clear forgets all entries.
func (l *ledger) clear() { l.ops, l.ends = nil, map[viewOfEpoch]vsr.Viewstamp{} }

// add records an entry that follows prev. It returns an error if a different entry has its viewstamp.
func (l *ledger) add(prev vsr.Viewstamp, e *vsr.Entry) error {
	stamp := e.Stamp()
	if known := l.find(stamp); known != nil {
		return known.same(prev, e)
	}
	if stamp.Op != prev.Op+1 || inOrder(prev, stamp) >= 0 {
		return violates("11.4", "entry %v follows %v", stamp, prev)
	}
	before := prev
	if p := l.find(prev); p != nil {
		if p.entry.Time > e.Time {
			return violates("N2", "entry %v has time %d, the one before it %d", stamp, e.Time, p.entry.Time)
		}
		if prev.Epoch == stamp.Epoch && prev.View == stamp.View {
			before = p.before
		}
	}
	for len(l.ops) <= int(stamp.Op) {
		l.ops = append(l.ops, nil)
	}
	l.ops[stamp.Op] = append(l.ops[stamp.Op], record{*e, prev, before})
	if key := (viewOfEpoch{stamp.Epoch, stamp.View}); l.ends[key].Op < stamp.Op {
		l.ends[key] = stamp
	}
	return nil
}

// same returns an error if an entry with the viewstamp of the record differs from it.
func (r *record) same(prev vsr.Viewstamp, e *vsr.Entry) error {
	k := &r.entry
	if r.prev != prev || k.Time != e.Time || k.Kind != e.Kind || k.Session != e.Session ||
		k.Request != e.Request || k.Floor != e.Floor || !bytes.Equal(k.Body, e.Body) {
		return violates("11.4", "two entries with viewstamp %v: one follows %v, kind %d, request %d.%d, the other %v, "+
			"kind %d, request %d.%d", e.Stamp(), r.prev, k.Kind, k.Session, k.Request, prev, e.Kind, e.Session,
			e.Request)
	}
	return nil
}

func (l *ledger) find(s vsr.Viewstamp) *record {
	if int(s.Op) >= len(l.ops) {
		return nil
	}
	for i := range l.ops[s.Op] {
		if r := &l.ops[s.Op][i]; r.entry.View == s.View && r.entry.Epoch == s.Epoch {
			return r
		}
	}
	return nil
}

// holds reports whether a log that ends with last holds the entry s.
func (l *ledger) holds(last, s vsr.Viewstamp) bool {
	return s.Op <= last.Op && l.at(last, s.Op) == s
}

// at returns the viewstamp of an op in a log that ends with last, at op or above.
func (l *ledger) at(last vsr.Viewstamp, op vsr.OpNumber) vsr.Viewstamp {
	for {
		r := l.find(last)
		if r == nil || op > r.before.Op {
			last.Op = op
			return last
		}
		last = r.before
	}
}

// ofView returns the viewstamp of an op in the log of a view's primary; false if that log ends before it. Until the
// view has its first entry, its log can only be asked for op 1 (S2, V7).
func (l *ledger) ofView(epoch vsr.Epoch, view vsr.View, op vsr.OpNumber) (vsr.Viewstamp, bool) {
	end, ok := l.ends[viewOfEpoch{epoch, view}]
	if !ok && op == 1 && len(l.ops) > 1 {
		return l.ops[1][0].entry.Stamp(), true
	}
	return l.at(end, op), op <= end.Op
}

// run returns an error unless the entries are known ones that follow prev.
func (l *ledger) run(prev vsr.Viewstamp, entries []vsr.Entry) error {
	for i := range entries {
		r := l.find(entries[i].Stamp())
		if r == nil {
			return violates("11.6", "entry %v is of no log", entries[i].Stamp())
		}
		if err := r.same(prev, &entries[i]); err != nil {
			return err
		}
		prev = entries[i].Stamp()
	}
	return nil
}

// end returns the viewstamp of the last op known to be committed.
func (l *ledger) end() vsr.Viewstamp { return l.committed[len(l.committed)-1] }

// endBefore returns the viewstamp of the last op known to be committed in a view before that one.
func (l *ledger) endBefore(view vsr.View) vsr.Viewstamp {
	n := sort.Search(len(l.known), func(i int) bool { return l.known[i] >= view })
	return l.committed[max(n-1, 0)]
}

// commit records that a member in a view knows the entry s, and all entries before it, to be committed. It returns the
// entries that are newly known to be committed, in order.
func (l *ledger) commit(s vsr.Viewstamp, view vsr.View) ([]vsr.Viewstamp, error) {
	if int(s.Op) < len(l.committed) {
		if was := l.committed[s.Op]; was != s {
			return nil, violates("11.2", "op %d is committed as %v and as %v", s.Op, was, s)
		}
		return nil, nil
	}
	if end := l.end(); !l.holds(s, end) {
		return nil, violates("11.2", "%v is committed, and its log does not hold %v, which is", s, end)
	}
	from := len(l.committed)
	for op := vsr.OpNumber(from); op <= s.Op; op++ {
		l.committed, l.known = append(l.committed, l.at(s, op)), append(l.known, max(view, l.known[op-1]))
	}
	return l.committed[from:], nil
}
