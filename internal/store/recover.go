package store

import (
	"fmt"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
)

// Recover returns what the core of the member with that ID starts from: its log, and the latest of its snapshots, which
// the caller restores afterwards. It reads only the last entry and the formation of the group; Read returns the others
// when the core asks for them. It returns ErrCorrupt if head, log and snapshots do not belong together, which a person
// or a restored backup has then mixed (F19).
func Recover(log *wal.Log, snapshots []snap.Info, id string) (d vsr.Durable, err error) {
	base, last := log.Bounds()
	d = vsr.Durable{Head: headIn(log.Head()), Base: stampIn(base), Last: stampIn(last)}
	for _, run := range log.Stamps() {
		d.Runs = append(d.Runs, stampIn(run))
	}
	for _, info := range snapshots { // the latest is the last
		s, err := ParseHeader(info)
		if err == nil {
			err = belongs(&d, &s, id)
		}
		if err != nil {
			return d, err
		}
		latest := Describe(info, s.Members)
		d.Snapshot, d.Time = &latest, s.Clock
	}
	from := vsr.OpNumber(0)
	if d.Snapshot != nil {
		from = d.Snapshot.Last.Op
	}
	if d.Base.Op > from {
		return d, fmt.Errorf("%w: the log begins after op %d, and no sound snapshot reaches that far", ErrCorrupt, d.Base.Op)
	}
	if d.Base.Op == 0 && d.Last.Op > 0 {
		if err := readFirst(log, &d); err != nil {
			return d, err
		}
	}
	if d.Last.Op > from {
		d.Entries, err = Read(log, d.Last.Op, d.Last.Op, 0)
	}
	return d, err
}

// readFirst reads op 1, which must be the formation of the head's group.
func readFirst(log *wal.Log, d *vsr.Durable) error {
	first, err := Read(log, 1, 1, 0)
	if err != nil {
		return err
	}
	members, err := vsr.DecodeMembership(first[0].Body)
	if err != nil {
		return fmt.Errorf("%w: op 1: %w", ErrCorrupt, err)
	}
	if members.Group != d.Head.Group {
		return fmt.Errorf("%w: the log begins with the formation of group %v, but its head belongs to group %v", ErrCorrupt, members.Group, d.Head.Group)
	}
	d.First = &first[0]
	return nil
}

// belongs returns an error if a snapshot is not one that the replica with that head and log can have stored. A snapshot
// may end above the log: entries are applied before they are durable here, and a snapshot that was received replaces a
// log only after it is complete (C3).
func belongs(d *vsr.Durable, s *State, id string) error {
	mixed := func(format string, args ...any) error {
		return fmt.Errorf("%w: the snapshot of op %d %s; one of them was put there by hand or is an older copy: put the one "+
			"that belongs to the other back", ErrCorrupt, s.Last.Op, fmt.Sprintf(format, args...))
	}
	head, last := &d.Head, s.Last
	switch {
	case s.Members.Group != head.Group:
		return mixed("is of group %v, but the log's head belongs to group %v", s.Members.Group, head.Group)
	case last.Epoch > head.Epoch:
		return mixed("is of epoch %d, but the log's head is of epoch %d", last.Epoch, head.Epoch)
	case d.Base.Op > 0 && last.Op == d.Base.Op && last != d.Base:
		return mixed("ends with %v, but the log begins after %v", last, d.Base)
	case len(s.Members.Members) == 1 && d.Last.Op < last.Op: // a group's only member applies durable entries only
		return mixed("is ahead of the log, which ends with op %d and has no other copy", d.Last.Op)
	}
	for i := range s.Members.Members {
		m := &s.Members.Members[i]
		if m.ID == id && last.Epoch == head.Epoch && m.Incarnation != head.Incarnation {
			return mixed("knows the memory %v of %s, but the log is of memory %v", m.Incarnation, id, head.Incarnation)
		}
	}
	return nil
}
