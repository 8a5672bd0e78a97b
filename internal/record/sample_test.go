package record

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/vsr"
)

// last is a state machine that keeps the last body.
type last struct{ body []byte }

func (l *last) Apply(op smr.Op) []byte {
	l.body = bytes.Clone(op.Body)
	return l.body
}

func (l *last) Snapshot() (io.WriterTo, error) { return bytes.NewReader(l.body), nil }

func (l *last) Restore(r io.Reader) (err error) {
	l.body, err = io.ReadAll(r)
	return err
}

// next is a command in most cases, and else a read.
func next(r *rand.Rand) sim.Operation {
	if r.IntN(3) == 0 {
		return sim.Operation{Name: "get", Read: func(m smr.StateMachine) any { return bytes.Clone(m.(*last).body) }}
	}
	return sim.Operation{Name: "put", Body: make([]byte, 1+r.IntN(20))}
}

// watcher has the cores of a simulated group recorded in a directory.
type watcher struct {
	*sim.Recording
	dir      string
	detector func(vsr.Detector) vsr.Detector // what the cores are given instead; nil: nothing
	files    []*File
}

func (w *watcher) Recorder() shell.Recorder {
	f := NewFile(w.dir)
	w.files = append(w.files, f)
	return &changed{f, w}
}

// changed is a recorder of a core that is given another Detector.
type changed struct {
	*File
	w *watcher
}

func (r *changed) Started(c *vsr.Config, d *vsr.Durable, now time.Time) {
	if r.w.detector != nil {
		c.Detector = r.w.detector(c.Detector)
	}
	r.File.Started(c, d, now)
}

// sample returns the recording of the primary of three replicas that served for a while.
func sample(t testing.TB, d time.Duration) []byte { return sampleOf(t, "a", d) }

// sampleOf returns the recording of one of the three.
func sampleOf(t testing.TB, id string, d time.Duration) []byte { return samples(t, d, nil)[id] }

// samples returns the recordings of three replicas that served for a while, by ID.
func samples(t testing.TB, d time.Duration, detector func(vsr.Detector) vsr.Detector) map[string][]byte {
	w := &watcher{Recording: sim.NewRecording(3, 1), dir: t.TempDir(), detector: detector}
	p := sim.Calm(1)
	p.Trouble = d
	require.Nil(t, sim.Run(&sim.Schedule{Setup: *p}, nil, &sim.Work{Kit: contract.Kit{New: func() smr.StateMachine { return &last{} }}, Next: next}, w).Violation)
	all := map[string][]byte{}
	for _, f := range w.files {
		require.NoError(t, f.Close())
	}
	for _, id := range []string{"a", "b", "c"} {
		files, err := filepath.Glob(filepath.Join(w.dir, id+"-*-1.rec"))
		require.NoError(t, err)
		require.Len(t, files, 1)
		all[id], err = os.ReadFile(files[0])
		require.NoError(t, err)
	}
	return all
}

// frames splits a recording into the header and records.
func frames(b []byte) (parts [][]byte) {
	parts, b = append(parts, b[:headerSize]), b[headerSize:]
	for len(b) > 0 {
		n := frameSize + int(le.Uint32(b)) + checksumSize
		parts, b = append(parts, b[:n]), b[n:]
	}
	return parts
}

// find returns the index of the first record of a kind behind a place.
func find(t *testing.T, parts [][]byte, kind byte, from int) int {
	for i := from; i < len(parts); i++ {
		if i > 0 && parts[i][4] == kind {
			return i
		}
	}
	require.Fail(t, "there is none", "kind %d from %d", kind, from)
	return 0
}

// replayed replays a recording.
func replayed(parts ...[]byte) (Extent, error) {
	return Replay(bytes.NewReader(bytes.Join(parts, nil)), Options{})
}

// recordOf returns a record.
func recordOf(kind byte, visit func(f *fields)) []byte {
	f := fields{b: beginFrame(nil, kind)}
	visit(&f)
	return endFrame(f.b)
}

func (e Extent) String() string {
	return fmt.Sprintf("%d turns, %d events of %s, torn: %v", e.Turns, e.Events, e.ID, e.Torn)
}
