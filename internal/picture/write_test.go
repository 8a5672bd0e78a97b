package picture

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// look is for changes of the page, which must be seen in a browser.
var look = flag.String("picture", "", "write pages to this directory, to look at them in a browser")

// runs are made up. TestPagesOfSimulatedRuns has real ones.
var runs = map[string]func() *Run{
	"empty": func() *Run { return &Run{} },
	"odd":   oddRun,
}

func TestPages(t *testing.T) {
	for name, run := range runs {
		t.Run(name, func(t *testing.T) {
			page := written(t, run())
			assert.Equal(t, page, written(t, run()), "the same run gives the same page")
			checkShape(t, page)
			if *look != "" {
				require.NoError(t, os.WriteFile(filepath.Join(*look, name+".html"), []byte(page), 0o644))
			}
		})
	}
}

func written(t *testing.T, r *Run) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Write(&b, r))
	return b.String()
}

var (
	tag  = regexp.MustCompile(`<(/?)([a-z][a-z0-9]*)\b[^>]*>`)
	void = []string{"meta", "input", "link", "br"}
)

// checkShape checks that every element is closed where it should be, that the page fetches nothing,
// and that no place is left unfilled.
func checkShape(t *testing.T, page string) {
	t.Helper()
	assert.True(t, strings.HasPrefix(page, "<!DOCTYPE html>"))
	var open []string
	for _, m := range tag.FindAllStringSubmatch(withoutRaw(page), -1) {
		switch {
		case m[1] == "/":
			require.NotEmpty(t, open, "</%s> closes nothing", m[2])
			assert.Equal(t, open[len(open)-1], m[2])
			open = open[:len(open)-1]
		case !slices.Contains(void, m[2]):
			open = append(open, m[2])
		}
	}
	assert.Empty(t, open, "never closed")
	assert.Contains(t, page, `content="default-src 'none';`, "a browser is told to fetch nothing")
	text, rest := parts(page)
	for _, part := range []string{"http:", "https:", "src=", "url(", "@import", "<link", "fetch(", "import(", "{{"} {
		assert.NotContains(t, rest, part)
	}
	assert.NotContains(t, text, ":null", "the script expects lists, if empty ones")
}

var raw = regexp.MustCompile(`(?s)(<(script|style)[^>]*>).*?(</(?:script|style)>)`)

// withoutRaw returns the page without what an HTML parser does not look into.
func withoutRaw(page string) string {
	_, rest := parts(page)
	return raw.ReplaceAllString(rest, "$1$3")
}

// parts returns what the page's script reads, as an HTML parser finds it, and the page without it.
func parts(page string) (data, rest string) {
	before, data, _ := strings.Cut(page, `<script type="application/json" id="run">`)
	data, after, _ := strings.Cut(data, "</script>")
	return data, before + after
}

// dataOf returns what the page's script makes of it.
func dataOf(t *testing.T, page string) (d struct {
	Title, Failure, History string
	Schedule, Texts         []string
	End                     int64
	Lanes                   []Lane
	Messages                map[string][]int64
	Spans, Cuts             map[string][]int64
	Marks, States, Ops      map[string][]int64
}) {
	t.Helper()
	text, _ := parts(page)
	require.NoError(t, json.Unmarshal([]byte(text), &d))
	return d
}

// TestTextsAreNotMarkup has texts of all kinds come out as they went in, and none of them taken for
// the page's own.
func TestTextsAreNotMarkup(t *testing.T) {
	const evil = "</script><script>alert(1)</script><!-- {{data}} {{script}} \u2028 \xff \"'&amp;"
	const same = "</script><script>alert(1)</script><!-- {{data}} {{script}} \u2028 \ufffd \"'&amp;"
	r := &Run{
		Title: evil, Failure: evil, Schedule: []string{evil}, Lanes: []Lane{{Name: evil}},
		Messages: []Message{{Kind: evil, Text: evil}}, Marks: []Mark{{Kind: Violation, Text: evil}},
	}
	page := written(t, r)
	assert.Equal(t, strings.Count(written(t, &Run{}), "<script"), strings.Count(page, "<script"))
	assert.Equal(t, strings.Count(written(t, &Run{}), "</script"), strings.Count(page, "</script"))
	assert.NotContains(t, page, "<!-- {{")
	d := dataOf(t, page)
	assert.Equal(t, []string{same, same, same, same}, []string{d.Title, d.Failure, d.Schedule[0], d.Lanes[0].Name})
	assert.Equal(t, []string{same, "violation"}, d.Texts)
	assert.Equal(t, []int64{0}, d.Messages["text"])
	assert.Equal(t, []int64{0}, d.Marks["text"])
}

// TestTablesAreInOrder gives a run in no order, and reads its tables back.
func TestTablesAreInOrder(t *testing.T) {
	r := &Run{
		Lanes: []Lane{{Name: "a"}, {Name: "b"}, {Name: "client", Client: true}}, End: 5 * time.Second,
		Messages: []Message{
			{From: 1, To: 0, Sent: 300, Arrived: 900, Kind: "PrepareOK", Text: "op=1"},
			{From: 0, To: 1, Sent: 100, Arrived: 250, Kind: "Prepare", Text: "op=1"},
			{From: 0, To: 1, Sent: 300, Kind: "Prepare", Text: "op=2", Fate: Lost},
			{From: 0, To: 1, Sent: 400, Arrived: time.Hour, Kind: "Prepare", Text: "op=3", Fate: UnderWay},
		},
		Spans: []Span{{Lane: 1, From: 70, To: -1, Kind: Backup, View: 3}, {Lane: 0, From: 50, To: 65, Kind: Primary, View: 3, Text: "x"}},
		Cuts:  []Cut{{From: 1, To: 0, Since: 90, Until: -1}, {From: 0, To: 1, Since: 80, Until: 85}},
		Marks: []Mark{{Lane: Everyone, At: 20, Kind: Fault}, {Lane: 1, At: 10, Kind: Commit, Text: "x"}},
		States: []State{
			{Lane: 0, At: 8, Text: "second"}, {Lane: 0, At: 4, Text: "first"}, {Lane: 0, At: 8, Text: "third"},
		},
		Ops: []Op{{Number: 3, At: 30, Text: "put", Result: "1", Before: "0", After: "1"}, {Number: 4, At: 30, Text: "put", Result: "2", Before: "1", After: "2"}},
	}
	before := slices.Clone(r.Messages)
	d := dataOf(t, written(t, r))
	assert.Equal(t, before, r.Messages, "the run is as it was")
	assert.Equal(t, r.Lanes, d.Lanes)
	assert.Equal(t, int64(5*time.Second), d.End)
	text := func(column []int64) (out []string) {
		for _, i := range column {
			out = append(out, d.Texts[i])
		}
		return out
	}
	assert.Equal(t, []string{"Prepare", "PrepareOK", "Prepare", "Prepare"}, text(d.Messages["kind"]))
	assert.Equal(t, []string{"op=1", "op=1", "op=2", "op=3"}, text(d.Messages["text"]))
	delete(d.Messages, "kind")
	delete(d.Messages, "text")
	assert.Equal(t, map[string][]int64{"sent": {100, 200, 0, 100}, "took": {150, 600, 0, 0}, "from": {0, 1, 0, 0}, "to": {1, 0, 1, 1},
		"fate": {0, 0, int64(Lost), int64(UnderWay)}}, d.Messages)
	assert.Equal(t, []int64{50, 20}, d.Spans["from"])
	assert.Equal(t, []int64{15, -1}, d.Spans["long"])
	assert.Equal(t, map[string][]int64{"since": {80, 10}, "long": {5, -1}, "from": {0, 1}, "to": {1, 0}}, d.Cuts)
	assert.Equal(t, []int64{1, Everyone}, d.Marks["lane"])
	assert.Equal(t, []string{"first", "second", "third"}, text(d.States["text"]))
	assert.Equal(t, []int64{3, 4}, d.Ops["number"])
	assert.Equal(t, []int64{30, 0}, d.Ops["at"])
	assert.Equal(t, text(d.Ops["after"])[0], text(d.Ops["before"])[1])
}

// TestEndIsNoEarlierThanWhatHappened leaves the end out.
func TestEndIsNoEarlierThanWhatHappened(t *testing.T) {
	lanes := []Lane{{Name: "a"}}
	for _, r := range []*Run{
		{Messages: []Message{{Sent: 3, Arrived: 7}}}, {Spans: []Span{{From: 7, To: 100}}}, {Cuts: []Cut{{Since: 7}}},
		{Marks: []Mark{{At: 7}}}, {States: []State{{At: 7}}}, {End: 7},
	} {
		r.Lanes = lanes
		assert.EqualValues(t, 7, dataOf(t, written(t, r)).End)
	}
}

func TestWriteRefuses(t *testing.T) {
	lanes := []Lane{{Name: "a"}, {Name: "b"}}
	for want, r := range map[string]*Run{
		`there is no lane 2; the run has 2`:                                   {Lanes: lanes, Messages: []Message{{To: 1}, {To: 2, Kind: "Prepare"}}},
		`there is a time of -5ns; a run begins at 0`:                          {Lanes: lanes, Messages: []Message{{Sent: -5}, {Sent: 3}}},
		`there is no lane -1; the run has 2`:                                  {Lanes: lanes, Spans: []Span{{Lane: -1, Kind: Down}}},
		`there is no lane 5; the run has 2`:                                   {Lanes: lanes, Cuts: []Cut{{To: 5}}},
		`there is no lane -2; the run has 2`:                                  {Lanes: lanes, Marks: []Mark{{Lane: -2, Kind: Fault}}},
		`there is a time of -1ns; a run begins at 0`:                          {Lanes: lanes, Marks: []Mark{{Lane: Everyone, At: -1, Kind: Fault}}},
		`there is no lane 3; the run has 2`:                                   {Lanes: lanes, States: []State{{Lane: 3}}},
		`History is "../x.html"; it must be a relative, slash-separated name`: {History: "../x.html"},
	} {
		var b bytes.Buffer
		assert.EqualError(t, Write(&b, r), "picture: "+want)
		assert.Zero(t, b.Len())
	}
}
