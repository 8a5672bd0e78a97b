//go:build smr_record

package smr

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/record"
	"github.com/smr-go/smr/internal/vsr"
)

// TestRecordedReplicasAreReplayed runs replicas that record what their cores are given, and replays each start of each.
func TestRecordedReplicasAreReplayed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "recordings")
	t.Setenv("SMR_RECORD", dir)
	scenarioWith(t, 3, func(c *Config) { c.SnapshotEvery = 50 }, func(g *group) {
		g.wires.latency = time.Millisecond
		g.start()
		p := g.primary()
		g.proposeMany(p, 100, "first")
		g.crash(p)
		g.proposeMany(g.primary(), 100, "second")
		g.start(p)
		g.settle()
		require.NoError(t, g.replica(g.primary()).Handover(g.in(time.Minute), p))
		require.NoError(t, g.replica(p).Read(g.in(time.Minute), Linearizable, func() {}))
		g.settle()
	})
	seen := map[string]bool{}
	for id, starts := range map[string]int{"a": 2, "b": 1, "c": 1} {
		files, err := filepath.Glob(filepath.Join(dir, id+"-*.rec"))
		require.NoError(t, err)
		require.Len(t, files, starts)
		for _, name := range files {
			f, err := os.Open(name)
			require.NoError(t, err)
			defer f.Close()
			extent, err := record.Replay(f, record.Options{Look: func(m *record.Moment) {
				if m.Event != nil {
					seen[fmt.Sprintf("%T", m.Event)] = true
				}
			}})
			require.NoError(t, err, name)
			assert.Equal(t, id, extent.ID)
			assert.False(t, extent.Torn)
			assert.Greater(t, extent.Events, 20)
		}
	}
	for _, e := range []vsr.Event{&vsr.Propose{}, &vsr.Receive{}, &vsr.Saved{}, &vsr.Applied{}, &vsr.SnapshotTaken{},
		&vsr.Handover{}, &vsr.Read{}, &vsr.Leave{}} {
		assert.True(t, seen[fmt.Sprintf("%T", e)], "%T", e)
	}
}

// Without a directory nothing is recorded, and one that cannot be made stops no replica.
func TestNothingIsRecordedInNoDirectory(t *testing.T) {
	t.Setenv("SMR_RECORD", "")
	assert.Nil(t, coreRecorder())
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	t.Setenv("SMR_RECORD", file)
	scenario(t, 1, func(g *group) {
		g.start()
		g.propose("a", "x")
	})
}
