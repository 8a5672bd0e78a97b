package judge

import (
	"bytes"

	"github.com/smr-go/smr/internal/excerpt"
	"github.com/smr-go/smr/internal/vsr"
)

// Outcome is what an op did at a replica.
type Outcome struct {
	Executed bool
	Kept     int    // results that the session table has room for
	Result   []byte // of an operation that was executed
	Digest   uint64 // of the state after it
}

// execute has the reference take the next committed entry.
func (j *Judge) execute(e *vsr.Entry) (err error) {
	out := Outcome{Executed: j.table.takes(e), Kept: j.table.kept()}
	if out.Result, out.Digest, err = j.config.Reference.Commit(e, out.Executed); err != nil {
		return err
	}
	if !out.Executed {
		out.Result, out.Digest = nil, j.results[len(j.results)-1].Digest
	}
	out.Result = bytes.Clone(out.Result)
	j.results = append(j.results, out)
	if !out.Executed {
		return nil
	}
	j.executed++
	if j.refused[request{e.Session, e.Request}] {
		return violates("X4", "%s is executed at op %d; its caller was told that it never would be", excerpt.Of(e.Body), e.Op)
	}
	if !j.config.Distinct {
		return nil
	}
	if at, ok := j.bodies[string(e.Body)]; ok {
		return violates("11.7", "%s is executed at op %d and, under another number, at op %d", excerpt.Of(e.Body), at, e.Op)
	}
	j.bodies[string(e.Body)] = e.Op
	return nil
}

// Applied reports what a member's applier did with the next entry of its log.
func (j *Judge) Applied(i int, e *vsr.Entry, got Outcome) error {
	m := &j.members[i]
	switch {
	case int(e.Op) >= len(j.results):
		return violates("11.1", "%s: op %d was applied and is not committed: that ends at %d", m.id, e.Op, len(j.results)-1)
	case e.Op != m.applied+1:
		return violates("N7", "%s: op %d is applied after op %d", m.id, e.Op, m.applied)
	case e.Stamp() != j.ledger.committed[e.Op]:
		return violates("11.2", "%s: op %d was applied as %v and is committed as %v", m.id, e.Op, e.Stamp(), j.ledger.committed[e.Op])
	}
	m.applied = e.Op
	want := &j.results[e.Op]
	switch {
	case got.Executed != want.Executed:
		return violates("11.7", "%s: op %d executed: %v; by the log: %v", m.id, e.Op, got.Executed, want.Executed)
	case got.Kept != want.Kept:
		return violates("11.10", "%s: after op %d the session table has room for %d results, not for %d (X2)", m.id, e.Op, got.Kept, want.Kept)
	case !bytes.Equal(got.Result, want.Result):
		one, two := excerpt.Apart(got.Result, want.Result)
		return j.differs(m, e, "it returned %s, and another machine with the same history %s", one, two)
	case got.Executed && got.Digest != want.Digest:
		return j.differs(m, e, "it led to a state with digest %x, and another machine with the same history is in one with %x", got.Digest, want.Digest)
	}
	return nil
}

// differs is the violation of 11.8, at an operation.
func (j *Judge) differs(m *member, e *vsr.Entry, format string, args ...any) error {
	v := violates("11.8", m.id+": "+j.config.Describe(e)+": "+format, args...).(*Violation)
	v.Op = uint64(e.Op)
	return v
}

// Restored reports that a member's state was restored from a snapshot at op, and has that digest.
func (j *Judge) Restored(i int, op vsr.OpNumber, digest uint64) error {
	m := &j.members[i]
	if int(op) >= len(j.results) {
		return violates("C3", "%s: snapshot at op %d, and only %d ops are committed", m.id, op, len(j.results)-1)
	}
	m.applied = op
	if want := j.results[op].Digest; digest != want {
		return violates("11.8", "%s: a state restored from the snapshot after op %d has digest %x, and the one that it was taken of %x", m.id, op, digest, want)
	}
	return nil
}
