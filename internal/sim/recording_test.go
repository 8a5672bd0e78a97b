package sim

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/picture"
	"github.com/smr-go/smr/internal/sim/fault"
)

var pictureFile = flag.String("sim.picture", "", "where to draw a run that fails, as an HTML page")

// draw repeats the run of a seed and draws it, if a flag asks for that.
func draw(t *testing.T, seed uint64) {
	p, _ := Draw(seed)
	drawRun(t, fmt.Sprintf("seed %d", seed), fmt.Sprintf("-run TestNewSeeds -sim.runs=1 -sim.seed=%d", seed),
		p.Replicas, func(w Watcher) *Report { return runSeed(seed, w) })
}

// drawRun draws the run of these flags, if a flag asks for that.
func drawRun(t *testing.T, title, flags string, replicas int, run func(Watcher) *Report) {
	if *pictureFile == "" {
		return
	}
	recording := NewRecording(replicas, 20_000)
	drawn := recording.Picture(run(recording))
	drawn.Title, drawn.Command = title, "go test ./internal/sim "+flags
	var b bytes.Buffer
	require.NoError(t, picture.Write(&b, drawn))
	require.NoError(t, os.WriteFile(*pictureFile, b.Bytes(), 0o666))
}

// recordedRun injects faults in a calm world with a machine that breaks its invariant at an op.
func recordedRun(t *testing.T, most int, breaksAt uint64, faults ...fault.Fault) *picture.Run {
	return recordedRunOf(t, Calm(7), most, breaksAt, faults...)
}

func recordedRunOf(t *testing.T, p *Setup, most int, breaksAt uint64, faults ...fault.Fault) *picture.Run {
	w := listWork(10, 0.3, 0)
	applied := map[smr.StateMachine]uint64{}
	w.Invariant = func(m smr.StateMachine) error {
		if applied[m]++; applied[m] == breaksAt {
			return errors.New("it is enough")
		}
		return nil
	}
	p.SnapshotEvery = 20
	r := NewRecording(p.Replicas, most)
	r.Show = func(m smr.StateMachine) string { return fmt.Sprint(m.(*testMachine).digest) }
	run := r.Picture(Run(&Schedule{Setup: *p, Faults: faults}, nil, w, r))
	require.NoError(t, picture.Write(&bytes.Buffer{}, run))
	return run
}

func TestRecordingTellsWhatHappened(t *testing.T) {
	const s = time.Second
	run := recordedRun(t, 1e6, 0,
		fault.Fault{At: 2 * s, Kind: fault.Crash, Host: 1, For: s},
		fault.Fault{At: 4 * s, Kind: fault.Isolate, Host: 0}, fault.Fault{At: 6 * s, Kind: fault.Join, Host: 0},
		fault.Fault{At: 7 * s, Kind: fault.Pause, Host: 2, For: s},
		fault.Fault{At: 7 * s, Kind: fault.SlowDisk, Host: 1, N: 1e6, For: s},
		fault.Fault{At: 8 * s, Kind: fault.FullDisk, Host: 2}, fault.Fault{At: 9 * s, Kind: fault.Space, Host: 2},
		fault.Fault{At: 9 * s, Kind: fault.Crash, Host: 2},
		fault.Fault{At: 9*s + s/2, Kind: fault.Pause, Host: 2, For: s})
	assert.Empty(t, run.Failure)
	assert.Len(t, run.Schedule, 8, "a host that is down cannot be paused")
	for _, want := range []picture.Span{
		{Lane: 1, From: 2 * s, To: 3 * s, Kind: picture.Down, Text: "crash"},
		{Lane: 2, From: 7 * s, To: 8 * s, Kind: picture.Paused},
		{Lane: 1, From: 7 * s, To: 8 * s, Kind: picture.DiskSlow},
		{Lane: 2, From: 8 * s, To: 9 * s, Kind: picture.DiskFull},
		{Lane: 2, From: 9 * s, To: 10 * s, Kind: picture.Down, Text: "crash"}, // the healing ends it
	} {
		assert.True(t, hasSpan(run, want), "%+v", want)
	}
	for _, to := range []int{1, 2} {
		assert.Contains(t, run.Cuts, picture.Cut{From: 0, To: to, Since: 4 * s, Until: 6 * s})
		assert.Contains(t, run.Cuts, picture.Cut{From: to, To: 0, Since: 4 * s, Until: 6 * s})
	}
	assert.Len(t, run.Cuts, 4)
	assert.Equal(t, 6, count(run.Lanes, func(l picture.Lane) bool { return l.Client }),
		"a caller at each, and who asks each in the end")
	for _, kind := range []picture.MarkKind{picture.Fault, picture.Commit, picture.Saved, picture.Snapshot,
		picture.Note} {
		assert.NotZero(t, count(run.Marks, func(m picture.Mark) bool { return m.Kind == kind }), kind)
	}
	for _, kind := range []picture.SpanKind{picture.Forming, picture.Primary, picture.Backup, picture.ViewChange,
		picture.Answered} {
		assert.NotZero(t, count(run.Spans, func(s picture.Span) bool { return s.Kind == kind }), kind)
	}
	for _, m := range run.Marks {
		assert.NotContains(t, m.Text, "{", "a mark is told in words")
	}
	assert.Zero(t, count(run.Spans, func(x picture.Span) bool { return x.Kind == picture.Paused && x.From > 8*s }),
		"a host that is down cannot be paused")
	for _, fate := range []picture.Fate{picture.Arrived, picture.CutOff, picture.Refused} {
		assert.NotZero(t, count(run.Messages, func(m picture.Message) bool { return m.Fate == fate }), fate)
	}
}

// Members that stay paused, or whose disks stay hung, are drawn so until they come back.
func TestRecordingShowsWhoStaysAway(t *testing.T) {
	for kind, unhealed := range map[picture.SpanKind]Unhealed{picture.Paused: {Paused: 1},
		picture.DiskSlow: {Hung: 1}} {
		p := Calm(7)
		p.Unhealed, p.DiskLimit = unhealed, time.Second
		run := recordedRunOf(t, p, 1e6, 0)
		assert.Empty(t, run.Failure)
		assert.Equal(t, 1, count(run.Spans, func(s picture.Span) bool {
			return s.Kind == kind && s.From > 9*time.Second && s.To > s.From && s.To < run.End
		}), kind)
	}
}

// hasSpan reports whether a span begins and ends when the fault does, give or take a turn of a loop.
func hasSpan(run *picture.Run, want picture.Span) bool {
	return count(run.Spans, func(s picture.Span) bool {
		late := s.To - want.To
		s.To = want.To
		return s == want && late >= 0 && late < 10*time.Millisecond
	}) == 1
}

func count[T any](all []T, is func(T) bool) (n int) {
	for _, x := range all {
		if is(x) {
			n++
		}
	}
	return n
}

func TestRecordingShowsTheViolation(t *testing.T) {
	run := recordedRun(t, 1e6, 30)
	assert.Contains(t, run.Failure, "it is enough")
	assert.Equal(t, 1, count(run.Marks, func(m picture.Mark) bool {
		return m.Kind == picture.Violation && strings.HasPrefix(m.Text, "violation: the invariant holds: op ") &&
			m.Lane == picture.Everyone && m.At == run.End
	}))
	assert.NotZero(t, count(run.Messages, func(m picture.Message) bool { return m.Fate == picture.UnderWay }))
	assert.NotZero(t, count(run.Spans, func(s picture.Span) bool { return s.Kind == picture.Open && s.To == run.End }))
}

// The operations of the log have the state before and after them.
func TestRecordingShowsOperations(t *testing.T) {
	run := recordedRun(t, 1e6, 30)
	require.Len(t, run.Ops, 30)
	for i, op := range run.Ops {
		before := "the initial state"
		if i > 0 {
			before = run.Ops[i-1].After
			assert.Greater(t, op.Number, run.Ops[i-1].Number)
		}
		assert.Equal(t, before, op.Before)
		assert.NotEqual(t, op.Before, op.After)
	}
	assert.Equal(t, run.End, run.Ops[29].At)
}

// A recording of a long run keeps its end.
func TestRecordingIsBounded(t *testing.T) {
	all, some := recordedRun(t, 1e6, 0), recordedRun(t, 100, 0)
	require.Greater(t, len(all.Messages), 1000)
	assert.Equal(t, all.Messages[len(all.Messages)-100:], some.Messages)
	assert.Equal(t, all.Marks[len(all.Marks)-100:], some.Marks)
	assert.Equal(t, all.States[len(all.States)-100:], some.States)
	assert.LessOrEqual(t, len(some.Spans), 110)
}
