package store

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

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

// Header returns the header of a snapshot of the state. Numbers are varints:
//
//	time of the last op | length, member list
//
// The viewstamp of the last op, checksums and sizes are in the format of internal/snap. The session table follows the
// header as the first part of the contents, because it has no limit that a header could have; the user's part is the
// rest.
func (s *State) Header() []byte {
	b := binary.AppendVarint(nil, s.Clock)
	members := s.Members.Encode()
	return append(binary.AppendUvarint(b, uint64(len(members))), members...)
}

// ParseHeader decodes the header of a snapshot: the state without its sessions. It returns ErrCorrupt if the header is
// damaged.
func ParseHeader(info snap.Info) (State, error) {
	s := State{Last: lastIn(info.ID)}
	clock, n := binary.Varint(info.Header)
	b := info.Header[max(n, 0):]
	size, k := binary.Uvarint(b)
	if n <= 0 || k <= 0 || size != uint64(len(b)-k) {
		return s, fmt.Errorf("%w: the header of the snapshot of op %d does not parse", ErrCorrupt, info.ID.Op)
	}
	s.Clock = clock
	var err error
	if s.Members, err = vsr.DecodeMembership(b[k:]); err != nil {
		return s, fmt.Errorf("%w: the header of the snapshot of op %d: %w", ErrCorrupt, info.ID.Op, err)
	}
	if group := vsr.GroupID(info.ID.Group); s.Members.Group != group {
		return s, fmt.Errorf("%w: the snapshot of op %d is of group %v, but its members are of group %v", ErrCorrupt, info.ID.Op, group, s.Members.Group)
	}
	return s, nil
}

// ReadState reads what precedes the user's part of a snapshot from its header and contents, and returns a reader of the
// user's part.
func ReadState(info snap.Info, contents io.Reader) (State, io.Reader, error) {
	s, err := ParseHeader(info)
	if err != nil {
		return s, nil, err
	}
	user := bufio.NewReaderSize(contents, readAhead)
	if s.Sessions, err = vsr.ReadSessions(user); err != nil {
		return s, nil, fmt.Errorf("%w: the sessions in the snapshot of op %d: %w", ErrCorrupt, info.ID.Op, err)
	}
	return s, user, nil
}

// readAhead is how many bytes of a snapshot ReadState has read beyond those returned.
const readAhead = 64 << 10

// Describe returns the core's description of a snapshot with these members.
func Describe(info snap.Info, members vsr.Membership) vsr.Snapshot {
	return vsr.Snapshot{SnapshotID: vsr.SnapshotID{Group: info.ID.Group, Last: lastIn(info.ID), Hash: info.ID.Hash},
		Size: info.Size, Chunks: info.Chunks, Members: members}
}
