package picture

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// A lane is drawn as one thing at a time: where it is paused it is not also primary or backup, and
// where it is down it is neither paused nor anything else.
func TestPausedIsDrawnAsPaused(t *testing.T) {
	r := &Run{Lanes: []Lane{{Name: "a"}, {Name: "b"}, {Name: "c"}}, End: 100, Spans: []Span{
		{Lane: 0, From: 0, To: 100, Kind: Primary, View: 3},
		{Lane: 0, From: 20, To: 50, Kind: Paused},
		{Lane: 0, From: 10, To: 90, Kind: DiskSlow},
		{Lane: 1, From: 0, To: 30, Kind: Backup, View: 3},
		{Lane: 1, From: 30, To: 60, Kind: Down, Text: "crash"},
		{Lane: 1, From: 60, To: -1, Kind: Backup, View: 4},
		{Lane: 1, From: 10, To: -1, Kind: Paused},
		{Lane: 2, From: 5, To: 15, Kind: Paused},
		{Lane: 2, From: 10, To: 20, Kind: Paused, Text: "moved"},
	}}
	d := dataOf(t, written(t, r))
	type piece struct {
		lane       int
		from, long int64
		kind       SpanKind
		view       int64
		text       string
	}
	var got []piece
	at := int64(0)
	for i := range d.Spans["from"] {
		at += d.Spans["from"][i]
		got = append(got, piece{int(d.Spans["lane"][i]), at, d.Spans["long"][i], SpanKind(d.Texts[d.Spans["kind"][i]]), d.Spans["view"][i], d.Texts[d.Spans["text"][i]]})
	}
	slices.SortStableFunc(got, func(a, b piece) int { return a.lane - b.lane })
	assert.Equal(t, []piece{
		{0, 0, 20, Primary, 3, ""}, {0, 10, 80, DiskSlow, 0, ""}, {0, 20, 30, Paused, 3, "primary of view 3"}, {0, 50, 50, Primary, 3, ""},
		{1, 0, 10, Backup, 3, ""}, {1, 10, 20, Paused, 3, "backup of view 3"}, {1, 30, 30, Down, 0, "crash"}, {1, 60, -1, Paused, 4, "backup of view 4"},
		{2, 5, 5, Paused, 0, ""}, {2, 10, 10, Paused, 0, "moved"},
	}, got)
	assert.Equal(t, time.Duration(50), r.Spans[1].To, "the run is as it was")
}
