package store

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vsr"
)

// State is what changes together with the user's state, and is part of each snapshot.
type State struct {
	Last     vsr.Viewstamp // of the last entry applied
	Clock    int64         // its Time
	Members  vsr.Membership
	Sessions vsr.Sessions
}

// Advance records that an entry was applied. The caller has applied it to the user's state and to the sessions. It
// returns ErrCorrupt if the entry is a formation that does not decode.
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

// Header returns the header of a snapshot of the state, which precedes the user's part. Numbers are varints:
//
//	time of the last op | length, member list | session table
//
// The viewstamp of the last op, checksums and sizes are in the format of internal/snap.
func (s *State) Header() []byte {
	b := binary.AppendVarint(nil, s.Clock)
	members := s.Members.Encode()
	b = append(binary.AppendUvarint(b, uint64(len(members))), members...)
	return s.Sessions.Append(b)
}

// ParseHeader decodes the header of a snapshot. It returns ErrCorrupt if the header is damaged.
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

// Describe returns the core's description of a snapshot with these members.
func Describe(info snap.Info, members vsr.Membership) vsr.Snapshot {
	return vsr.Snapshot{SnapshotID: vsr.SnapshotID{Last: lastIn(info.ID), Hash: info.ID.Hash},
		Size: info.Size, Chunks: info.Chunks, Members: members}
}
