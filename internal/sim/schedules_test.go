package sim

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var replay = flag.String("sim.replay", "", "the schedule that TestReplay runs, a file")

func readSchedule(t testing.TB, name string) *Schedule {
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	x, err := ReadSchedule(f)
	require.NoError(t, err, name)
	return x
}

// Each schedule in testdata once showed a bug, which its comment describes.
func TestSchedules(t *testing.T) {
	files, err := filepath.Glob("testdata/*.schedule")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".schedule"), func(t *testing.T) {
			x := readSchedule(t, name)
			r := Run(x, nil, x.Setup.Lists.Work(), nil)
			assert.Nil(t, r.Violation, "again: go test ./internal/sim -run TestReplay -sim.replay=%s", name)
			assert.Empty(t, r.Changed)
			assert.Empty(t, r.Ineffective, "faults that do nothing any more: let the schedule show again what it says, or take them out")
		})
	}
}

// TestReplay runs the schedule of a flag and shows its trace.
func TestReplay(t *testing.T) {
	if *replay == "" {
		t.Skip("for a schedule: go test ./internal/sim -run TestReplay -v -sim.replay=FILE -sim.trace=1000")
	}
	x := readSchedule(t, *replay)
	trace := NewTrace(*lines)
	r := recordIfWanted(t, filepath.Base(*replay), trace, func(w Watcher) *Report {
		return Run(x, nil, x.Setup.Lists.Work(), w)
	})
	t.Logf("the last steps:\n%s\n%+v", trace, r.Stats)
	drawRun(t, filepath.Base(*replay), "-run TestReplay -sim.replay="+*replay, x.Setup.Replicas, func(w Watcher) *Report {
		return Run(x, nil, x.Setup.Lists.Work(), w)
	})
	assert.Nil(t, r.Violation)
}

// A schedule that can be read is written so that it is read back; no text causes a panic.
func FuzzSchedule(f *testing.F) {
	for seed := range uint64(3) {
		x := runSeed(seed+1, nil).Schedule
		x.Faults = x.Faults[:min(len(x.Faults), 20)]
		f.Add(textOf(&x))
	}
	f.Add("# two\n#\nset Replicas 3\nset Seed 1\nset Heartbeat 50ms\nset SnapshotEvery 1\nset CompareEvery 2\nset Volatile true\n" +
		"set Network.Loss 1e-2\nat 1s call b by 2: \"do it\" body \"x\\n\" cancel 3ms op 5\nat 2s call a by 1: get seed 7 as \"get 1\"\nfrom 1s after a sent Prepare 2: cut b c for 1s\nat 2s hand-over a any\nat 0s split n 5\n")
	f.Fuzz(func(t *testing.T, text string) {
		x, err := ReadSchedule(strings.NewReader(text))
		if err != nil {
			return
		}
		var written strings.Builder
		x.WriteTo(&written)
		y, err := ReadSchedule(strings.NewReader(written.String()))
		require.NoError(t, err, "%s", &written)
		require.Equal(t, x, y, "%s", &written)
	})
}
