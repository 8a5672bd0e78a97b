package smr

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/go-hclog"
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

// F17. The parent of replicas' directories, named by mistake, is refused by name and left as it is. Anything else may be in
// a replica's directory, also other replicas' directories once it has begun its own.
func TestParentOfDirectories(t *testing.T) {
	begin := func(id ID, dir string) error {
		r, err := Start(Config{ID: id, Members: []Member{{ID: id}}, StateMachine: newRecorder(), Dir: dir, Logger: hclog.NewNullLogger()})
		if err == nil {
			require.NoError(t, r.Close())
		}
		return err
	}
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "notes", "log"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes", "log", "head"), []byte("a page that is headed so"), 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "readme"), nil, 0o666))
	for _, id := range []ID{"a", "b"} {
		require.NoError(t, begin(id, filepath.Join(dir, string(id))))
	}
	for _, id := range []ID{"a", "c"} {
		err := begin(id, dir)
		require.ErrorContains(t, err, "Config.Dir "+dir+" is no replica's directory, but holds some: a of \"smr/a\", b of \"smr/b\"")
		there, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, there, 4)
	}
	own := t.TempDir()
	require.NoError(t, os.Rename(filepath.Join(dir, "notes"), filepath.Join(own, "notes")))
	require.NoError(t, begin("c", own))
	require.NoError(t, begin("d", filepath.Join(own, "d")))
	require.NoError(t, begin("c", own))
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
