package record

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

var (
	recording = flag.String("record.file", "", "the recording that TestReplay replays, a file")
	from      = flag.Int("record.from", 0, "the first turn that TestReplay shows; 0: the 20th from the end")
	to        = flag.Int("record.to", 0, "the last turn that it shows; 0: the last")
)

// TestReplay replays the recording that is asked for, and shows some turns in words.
func TestReplay(t *testing.T) {
	if *recording == "" {
		t.Skip("for a recording: go test ./internal/record -run TestReplay -v -record.file FILE -record.from 100 -record.to 120")
	}
	b, err := os.ReadFile(*recording)
	require.NoError(t, err)
	extent, failure := Replay(bytes.NewReader(b), Options{})
	first, last := *from, *to
	if first == 0 {
		first = extent.Turns - 19
	}
	if last == 0 {
		last = extent.Turns + 1
	}
	_, _ = Replay(bytes.NewReader(b), Options{Look: func(m *Moment) {
		if first <= m.Turn && m.Turn <= last {
			t.Log(m)
		}
	}})
	t.Log(extent)
	assert.NoError(t, failure)
}

// difference replays a recording that is expected to differ.
func difference(t *testing.T, parts ...[]byte) (Extent, *Difference) {
	extent, err := replayed(parts...)
	d, ok := errors.AsType[*Difference](err)
	require.True(t, ok, "%v: %v", extent, err)
	assert.Equal(t, extent.Turns+1, d.Turn)
	assert.Equal(t, extent.Events, d.Index)
	return extent, d
}

// A replay shows every event and turn, in words.
func TestLookSeesEverything(t *testing.T) {
	b := sample(t, time.Second)
	var text strings.Builder
	events, turns := 0, 0
	extent, err := Replay(bytes.NewReader(b), Options{Look: func(m *Moment) {
		if m.Event != nil {
			events++
		} else {
			turns++
		}
		fmt.Fprintln(&text, m)
	}})
	require.NoError(t, err)
	assert.Equal(t, Extent{ID: "a", Turns: turns, Events: events}, extent)
	assert.Equal(t, 1+events+turns, len(frames(b))-1-count(b, answerRecord)-count(b, drawRecord))
	for _, want := range []string{
		"Receive from b: PrepareOK", "Saved {Seq:1}", "Propose ", "Tick", "turn ends: primary", "    send to b, c: Prepare",
		"    apply [",
	} {
		assert.Contains(t, text.String(), want)
	}
}

func count(b []byte, kind byte) (n int) {
	for _, part := range frames(b)[1:] {
		if part[4] == kind {
			n++
		}
	}
	return n
}

// A missing event shows in the first turn whose results differ.
func TestMissingEventIsNoticed(t *testing.T) {
	parts := frames(sample(t, time.Second))
	saved := 0 // the first report that a save is durable, without which no message leaves
	for i := range parts[1:] {
		if f := (fields{b: parts[i+1][frameSize:], reading: true}); parts[i+1][4] == eventRecord {
			var at time.Time
			var e vsr.Event
			f.visit(&at, &e)
			if _, ok := e.(*vsr.Saved); ok && saved == 0 {
				saved = i + 1
			}
		}
	}
	require.NotZero(t, saved)
	_, d := difference(t, append(append([][]byte{}, parts[:saved]...), parts[saved+1:]...)...)
	assert.ErrorContains(t, d, "the results differ from those recorded")
}

// Missing draws and missing answers of the Detector are noticed, and so are draws too many.
func TestMissingAnswersAreNoticed(t *testing.T) {
	parts := frames(sample(t, time.Second))
	draw := find(t, parts, drawRecord, 0)
	_, d := difference(t, append(append([][]byte{}, parts[:draw]...), parts[draw+1:]...)...)
	assert.ErrorContains(t, d, "the core draws more random numbers")
	_, d = difference(t, append(append([][]byte{}, parts[:draw+1]...), parts[draw:]...)...)
	assert.ErrorContains(t, d, "the core draws fewer random numbers")
	parts = frames(sampleOf(t, "b", time.Second))
	_, d = difference(t, slices.DeleteFunc(parts, func(part []byte) bool { return part[4] == answerRecord })...)
	assert.ErrorContains(t, d, "send to a, c: StartViewChange", "it does not trust the primary")
}

// moody is a Detector that answers each call differently.
type moody struct {
	vsr.Detector
	rand *rand.Rand
}

func (d *moody) Deadline() time.Time {
	return d.Detector.Deadline().Add(-time.Duration(d.rand.Int64N(int64(400 * time.Millisecond))))
}

// A Detector that breaks its contract, and answers otherwise from call to call, is replayed as well.
func TestAnyDetectorIsReplayed(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	changes := 0
	for id, b := range samples(t, 5*time.Second, func(d vsr.Detector) vsr.Detector { return &moody{d, random} }) {
		_, err := Replay(bytes.NewReader(b), Options{Look: func(m *Moment) {
			changes = max(changes, int(m.Core.State().Head.View))
		}})
		require.NoError(t, err, id)
	}
	assert.Greater(t, changes, 5, "view changes")
}

// A recording that ends anywhere is replayed up to the last whole record, and one with a damaged record up to that.
func TestTornRecordings(t *testing.T) {
	b := sample(t, 100*time.Millisecond)
	parts := frames(b)
	whole := headerSize + len(parts[1])
	for n := whole; n < min(len(b), whole+3000); n++ {
		extent, err := replayed(b[:n])
		require.NoError(t, err, "%d bytes of %d", n, len(b))
		end := headerSize
		for _, part := range parts[1:] {
			if end += len(part); end >= n {
				break
			}
		}
		require.Equal(t, n < end, extent.Torn, "%d bytes", n)
	}
	for n := range whole {
		_, err := replayed(b[:n])
		require.ErrorContains(t, err, "record: ", "%d bytes", n)
	}
	damagedAt := len(b) / 2
	altered := bytes.Clone(b)
	altered[damagedAt] ^= 1
	extent, err := replayed(altered)
	require.NoError(t, err)
	assert.True(t, extent.Torn)
}

func TestForeignFiles(t *testing.T) {
	b := sample(t, 100*time.Millisecond)
	parts := frames(b)
	began := bytes.Join(parts[1:find(t, parts, eventRecord, 0)], nil)
	_, err := replayed([]byte("something else"))
	assert.ErrorContains(t, err, "this is not a recording")
	_, err = replayed([]byte(magic+"\x09"), b[len(magic)+1:])
	assert.ErrorContains(t, err, "format 09")
	_, err = replayed([]byte(magic+string(rune(version))+"another "), b[headerSize:])
	assert.ErrorContains(t, err, "replay it with the release that recorded it")
	event99 := recordOf(eventRecord, func(f *fields) { f.visit(&time.Time{}); f.b = append(f.b, 99) })
	for what, bad := range map[string][][]byte{
		"kind 9 cannot be in this place":                   {parts[0], began, recordOf(9, func(*fields) {})},
		"kind 1 cannot be in this place":                   {parts[0], began, parts[1]},
		"kind 2 cannot be in this place":                   {parts[0], parts[find(t, parts, eventRecord, 0)]},
		"kind 3 cannot be in this place":                   {parts[0], recordOf(answerRecord, func(f *fields) { f.visit(&time.Time{}) })},
		"event of type 99":                                 {parts[0], began, event99},
		"record 2 does not decode: it ends inside a field": {parts[0], parts[1], recordOf(drawRecord, func(*fields) {})},
		"replica 3 of 3 members":                           {parts[0], startOf(t, parts[1], func(s *start) { s.config.Self = 3 })},
		"a heartbeat that is not":                          {parts[0], startOf(t, parts[1], func(s *start) { s.config.Heartbeat = 0 })},
	} {
		_, err := replayed(bad...)
		assert.ErrorContains(t, err, what)
	}
}

// startOf returns the start record with a change.
func startOf(t *testing.T, part []byte, change func(*start)) []byte {
	var s start
	f := fields{b: part[frameSize : len(part)-checksumSize], reading: true}
	f.start(&s)
	require.NoError(t, f.end())
	change(&s)
	return recordOf(startRecord, func(f *fields) { f.start(&s) })
}

// A panic and a broken invariant of the core are reported with their turn.
func TestBrokenCoresAreReported(t *testing.T) {
	parts := frames(sample(t, time.Second))
	turn := find(t, parts, turnRecord, len(parts)-20) // the group has formed
	at := time.Unix(1_700_000_000, 0)
	for what, e := range map[string]vsr.Event{
		"the core panics: runtime error: index out of range [8]": &vsr.Loaded{Load: vsr.Load{For: 8}},
		"the core breaks an invariant: saves: done 1000":         &vsr.Saved{Seq: 1000},
	} {
		strange := recordOf(eventRecord, func(f *fields) { f.visit(&at, &e) })
		changed := slices.Concat(parts[:turn+1], [][]byte{strange}, parts[turn+1:])
		extent, d := difference(t, changed...)
		assert.ErrorContains(t, d, what)
		assert.Equal(t, count(bytes.Join(parts[:turn+1], nil), turnRecord), extent.Turns)
	}
}

// A File that cannot be made, or is there already, does not stop the replica, and Close reports it.
func TestFileThatCannotBeMade(t *testing.T) {
	taken := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(taken, nil, 0o666))
	members := vsr.NewMembership([]vsr.Member{{ID: "a/b:c"}})
	for _, dir := range []string{taken, t.TempDir()} {
		for again := range 2 {
			f := NewFile(dir)
			f.Started(&vsr.Config{Members: members}, &vsr.Durable{Head: vsr.Head{Start: 6 << 32}}, time.Unix(1, 0))
			f.Stepping(time.Unix(1, 0), &vsr.Tick{})
			f.Stepped(&vsr.Tick{})
			f.Readied(time.Unix(1, 0), vsr.Header{}, &vsr.Output{})
			err := f.Close()
			if dir != taken && again == 0 {
				require.NoError(t, err)
				require.FileExists(t, filepath.Join(dir, "a%2Fb%3Ac-19700101T000001.000Z-7.rec"))
			} else {
				require.Error(t, err)
			}
		}
	}
}
