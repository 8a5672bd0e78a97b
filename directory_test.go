package smr

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// F19. Snapshots without their log are refused by every member, also by a group of one: nothing is restored, no group is
// formed over the old state, and the directory stays as it is.
func TestSnapshotsWithoutTheirLog(t *testing.T) {
	for _, n := range []int{1, 3} {
		scenarioWith(t, n, snapshots, func(g *group) {
			g.start()
			for i := range 200 {
				g.propose("a", fmt.Sprint("op ", i))
			}
			g.settle()
			for _, id := range g.ids() {
				g.wait("it has a snapshot", func() bool { return g.replica(id).Status().Snapshot > 0 })
			}
			for _, id := range g.ids() {
				g.close(id)
				disk := g.disks[id]
				disk.ReplaceDir("data/log", nil)
				before, err := disk.ReadDir("data/snapshots")
				require.NoError(t, err)
				for range 2 { // the first try leaves nothing that helps the second
					err = g.tryStart(id, unrestored(t))
					require.ErrorIs(t, err, ErrCorrupt)
					require.ErrorContains(t, err, "data/log has no head, but data/snapshots holds snapshots")
				}
				after, err := disk.ReadDir("data/snapshots")
				require.NoError(t, err)
				require.Equal(t, before, after)
			}
		})
	}
}

// unrestored gives a replica a state machine that must not be restored.
func unrestored(t *testing.T) func(*Config) {
	return func(cfg *Config) {
		snapshots(cfg)
		state := newRecorder()
		state.restore = func() error { t.Error("a snapshot was restored"); return nil }
		cfg.StateMachine = state
	}
}
