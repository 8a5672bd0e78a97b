package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vsr"
)

// State is what belongs to the user's state, and changes along with it.
type State struct {
	Last     vsr.Viewstamp // of the last entry applied
	Clock    int64         // its Time
	Members  vsr.Membership
	Sessions vsr.Sessions
}

// Advance takes an entry for applied. The user's part and the sessions have done so already.
func (s *State) Advance(e *vsr.Entry) error {
	if e.Kind == vsr.Formation {
		members, err := vsr.DecodeMembership(e.Body)
		if err != nil {
			return fmt.Errorf("%w: op %d: %w", ErrCorrupt, e.Op, err)
		}
		s.Members = members
	}
	s.Last, s.Clock = e.Stamp(), e.Time
	return nil
}

// Frozen returns a copy that later entries do not change.
func (s *State) Frozen() State {
	f := *s
	f.Sessions = s.Sessions.Clone()
	return f
}

// Header returns the header of a snapshot of the state, which stands before the user's part; numbers
// are varints:
//
//	time of the last op | length, member list | session table
//
// The viewstamp of the last op, checksums and sizes are internal/snap's.
func (s *State) Header() []byte {
	b := binary.AppendVarint(nil, s.Clock)
	members := s.Members.Encode()
	b = append(binary.AppendUvarint(b, uint64(len(members))), members...)
	return s.Sessions.Append(b)
}

// ParseHeader returns what a snapshot's header says, or an ErrCorrupt.
func ParseHeader(info snap.Info) (State, error) {
	s := State{Last: lastIn(info.ID)}
	clock, n := binary.Varint(info.Header)
	b := info.Header[max(n, 0):]
	size, k := binary.Uvarint(b)
	if n <= 0 || k <= 0 || size > uint64(len(b)-k) {
		return s, fmt.Errorf("%w: the header of the snapshot of op %d does not parse", ErrCorrupt, info.ID.Op)
	}
	s.Clock = clock
	var err1, err2 error
	s.Members, err1 = vsr.DecodeMembership(b[k : k+int(size)])
	s.Sessions, err2 = vsr.DecodeSessions(b[k+int(size):])
	if err := errors.Join(err1, err2); err != nil {
		return s, fmt.Errorf("%w: the header of the snapshot of op %d: %w", ErrCorrupt, info.ID.Op, err)
	}
	return s, nil
}

// Describe returns a snapshot with these members as the core knows it.
func Describe(info snap.Info, members vsr.Membership) vsr.Snapshot {
	return vsr.Snapshot{SnapshotID: vsr.SnapshotID{Last: lastIn(info.ID), Hash: info.ID.Hash},
		Size: info.Size, Chunks: info.Chunks, Members: members}
}
