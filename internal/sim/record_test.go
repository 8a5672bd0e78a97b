package sim

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/record"
	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
)

var recordDir = flag.String("sim.record", "",
	"directory for recordings of the replicas' cores: a directory for each run, with a file for each start")

// coreWatcher records the cores of a run, each start in a file of its own.
type coreWatcher struct {
	Watcher
	dir   string
	files []*record.File
}

// unwatched is a Watcher of which each method does nothing.
type unwatched struct{}

func (unwatched) Note(time.Duration, int, string, []any)                           {}
func (unwatched) Sent(time.Duration, uint64, int, int, vsr.Message)                {}
func (unwatched) Ended(time.Duration, uint64, world.Fate)                          {}
func (unwatched) Linked(time.Duration, int, int, bool)                             {}
func (unwatched) Turned(time.Duration, int, *vsr.State)                            {}
func (unwatched) Called(time.Duration, *Call)                                      {}
func (unwatched) Returned(time.Duration, *Call)                                    {}
func (unwatched) Faulted(time.Duration, *fault.Fault)                              {}
func (unwatched) Executed(time.Duration, string, smr.Op, []byte, smr.StateMachine) {}
func (unwatched) Lived(time.Duration, int, bool)                                   {}

func (w *coreWatcher) Recorder() shell.Recorder {
	f := record.NewFile(w.dir)
	w.files = append(w.files, f)
	return f
}

// recordCores performs a run and records its cores in a directory.
func recordCores(t assert.TestingT, dir string, watcher Watcher, run func(Watcher) *Report) *Report {
	w := &coreWatcher{Watcher: watcher, dir: dir}
	r := run(w)
	for _, f := range w.files {
		if f.Writer == nil { // the process was refused
			continue
		}
		if err := f.Close(); !errors.Is(err, os.ErrClosed) { // the process did not stop in order
			assert.NoError(t, err)
		}
	}
	return r
}

// recordIfWanted performs a run, and records its cores in a directory of that name if that is wanted. The watcher may
// be nil.
func recordIfWanted(t assert.TestingT, name string, watcher Watcher, run func(Watcher) *Report) *Report {
	if *recordDir == "" {
		return run(watcher)
	}
	if watcher == nil {
		watcher = unwatched{}
	}
	return recordCores(t, filepath.Join(*recordDir, name), watcher, run)
}

// replayFile replays a recording.
func replayFile(t *testing.T, name string, o record.Options) (record.Extent, error) {
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	return record.Replay(f, o)
}

// replayCores records the cores of a run, replays each, and returns how many starts, events and handovers there were.
// Recording changes nothing of the run.
func replayCores(t *testing.T, run func(Watcher) *Report) (r *Report, starts, events, handovers int) {
	dir := t.TempDir()
	r = recordCores(t, dir, unwatched{}, run)
	require.Nil(t, r.Violation)
	assert.Equal(t, run(nil).Hash, r.Hash)
	files, err := filepath.Glob(filepath.Join(dir, "*.rec"))
	require.NoError(t, err)
	assert.GreaterOrEqual(t, len(files), r.Stats.Starts) // some find damage once the core has started
	for _, name := range files {
		extent, err := replayFile(t, name, record.Options{Look: func(m *record.Moment) {
			if h, ok := m.Event.(*vsr.Handover); ok && h.Begun {
				handovers++
			}
		}})
		require.NoError(t, err, name)
		require.False(t, extent.Torn)
		events += extent.Events
	}
	return r, len(files), events, handovers
}

// rough returns a world in which replicas that were away need snapshots, and what happens to them.
func rough(trust time.Duration) (*Setup, []fault.Fault) {
	p := Calm(7)
	p.Trust, p.SnapshotEvery, p.KeepLog, p.SegmentSize, p.ChunkSize = trust, 20, 0, 4<<10, 256
	const s = time.Second
	return p, []fault.Fault{
		{At: 2 * s, Kind: fault.Isolate, Host: 1}, {At: 5 * s, Kind: fault.Join, Host: 1},
		{At: 6 * s, Kind: fault.HandOver, Host: 0, To: 1}, {At: 6*s + s/4, Kind: fault.HandOver, Host: 1, To: 2},
		{At: 7 * s, Kind: fault.Crash, Host: 2, For: s}, {At: 9 * s, Kind: fault.PowerCut, Host: 0, For: s},
	}
}

// The cores of a run can be replayed, whatever happens to the replicas.
func TestCoresAreReplayed(t *testing.T) {
	var stats Stats
	var starts, events, handovers int
	runs := map[string]func(Watcher) *Report{}
	for _, trust := range []time.Duration{0, 300 * time.Millisecond} {
		runs[fmt.Sprintf("rough, trust %v", trust)] = func(w Watcher) *Report {
			p, faults := rough(trust)
			return Run(&Schedule{Setup: *p, Faults: faults}, nil, listWork(10, 0.3, 0), w)
		}
	}
	for _, seed := range []uint64{2, 5, 14, 15} {
		runs[fmt.Sprintf("seed %d", seed)] = func(w Watcher) *Report { return runSeed(seed, w) }
	}
	for name, run := range runs {
		t.Run(name, func(t *testing.T) {
			r, s, e, h := replayCores(t, run)
			stats, starts, events, handovers = stats.Plus(r.Stats), starts+s, events+e, handovers+h
		})
	}
	t.Logf("%d events of %d starts", events, starts)
	for what, n := range map[string]int{"crashes": stats.Crashes, "view changes": int(stats.Views),
		"snapshots": stats.Snapshots, "transfers": stats.Transfers, "restores": stats.Restores, "loads": stats.Loads,
		"reads": stats.Reads, "handovers": handovers} {
		assert.NotZero(t, n, what)
	}
}

// A replayed core that is not the recorded one is noticed, at the turn in which it first returns something else.
func TestChangedCoreIsNoticed(t *testing.T) {
	dir := t.TempDir()
	recordCores(t, dir, unwatched{}, func(w Watcher) *Report {
		return Run(&Schedule{Setup: *Calm(1)}, nil, listWork(10, 0.3, 0), w)
	})
	files, err := filepath.Glob(filepath.Join(dir, "a-*.rec"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	for what, change := range map[string]func(*vsr.Config){
		"quorum":    func(c *vsr.Config) { c.Members.Qr, c.Members.Qv = 3, 2 },
		"heartbeat": func(c *vsr.Config) { c.Heartbeat *= 2 },
		"self":      func(c *vsr.Config) { c.Self = 1 },
	} {
		extent, err := replayFile(t, files[0], record.Options{Change: change})
		d, ok := errors.AsType[*record.Difference](err)
		require.True(t, ok, "%s: %v", what, err)
		assert.Equal(t, extent.Turns+1, d.Turn, what)
		assert.NotZero(t, d.Index, what)
		assert.NotZero(t, d.At, what)
		t.Logf("%s: %v", what, err)
	}
}
