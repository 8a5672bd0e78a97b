package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

// F19. A snapshot belongs to a log of its own group, epoch and memory, and not to one that begins after another entry at
// its end. It may end above the log of a member that is not alone.
func TestSnapshotBelongsToItsLog(t *testing.T) {
	stamp := func(epoch vsr.Epoch, view vsr.View, op vsr.OpNumber) vsr.Viewstamp {
		return vsr.Viewstamp{Epoch: epoch, View: view, Op: op}
	}
	for says, change := range map[string]func(d *vsr.Durable, s *State){
		"":                       func(*vsr.Durable, *State) {},
		"its own epoch is lower": func(d *vsr.Durable, s *State) { d.Head.Epoch = 3; d.Head.Incarnation[1]++ },
		"it is above the log":    func(d *vsr.Durable, s *State) { d.Last.Op = 8 },
		"is of group 01000000, but the log's head belongs to group 02000000": func(d *vsr.Durable, s *State) { d.Head.Group = vsr.GroupID{2} },
		"is of epoch 2, but the log's head is of epoch 1":                    func(d *vsr.Durable, s *State) { d.Head.Epoch = 1 },
		"ends with 10@2.3, but the log begins after 10@2.4":                  func(d *vsr.Durable, s *State) { d.Base = stamp(2, 4, 10) },
		"knows the memory 0a000000 of a, but the log is of memory 0b000000":  func(d *vsr.Durable, s *State) { d.Head.Incarnation = vsr.Incarnation{11} },
		"is ahead of the log, which ends with op 8": func(d *vsr.Durable, s *State) {
			d.Last.Op, s.Members.Members = 8, s.Members.Members[:1]
		},
	} {
		members := vsr.NewMembership([]vsr.Member{{ID: "a", Incarnation: vsr.Incarnation{10}}, {ID: "b", Incarnation: vsr.Incarnation{12}}})
		members.Group = vsr.GroupID{1}
		s := State{Last: stamp(2, 3, 10), Members: members}
		d := vsr.Durable{Head: vsr.Head{Group: members.Group, Epoch: 2, View: 2, Incarnation: vsr.Incarnation{10}}, Last: stamp(2, 4, 12)}
		change(&d, &s)
		if err := belongs(&d, &s, "a"); says == "" || says[:2] == "it" {
			require.NoError(t, err, says)
		} else {
			require.ErrorIs(t, err, ErrCorrupt, says)
			require.ErrorContains(t, err, "the snapshot of op 10 "+says)
		}
	}
}
