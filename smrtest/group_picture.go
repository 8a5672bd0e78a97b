package smrtest

import (
	"flag"
	"os"
	"path/filepath"

	"github.com/smr-go/smr/internal/picture"
	"github.com/smr-go/smr/internal/sim"
)

// pictured reports whether pictures are drawn: go test -artifacts keeps them.
var pictured = func() bool {
	f := flag.Lookup("test.artifacts")
	return f != nil && f.Value.String() == "true"
}

// drawn is the most messages, the last ones, in a picture.
const drawn = 50_000

// watch returns a recorder of the run; nil if no picture is drawn.
func (g *group) watch() sim.Watcher {
	if !pictured() {
		return nil
	}
	g.recording = sim.NewRecording(len(g.names), drawn)
	g.t.Cleanup(g.draw)
	return g.recording
}

// calls gives the next fault in the picture the words that the report uses.
func (g *group) calls(what string) {
	if g.recording != nil {
		g.recording.Words = what
	}
}

// draw writes the picture when the run has ended.
func (g *group) draw() {
	p := g.recording.Picture(g.s.Report())
	p.Title, p.Command = g.t.Name(), g.command()
	p.Schedule, p.Unit = g.steps(), "step"
	if v := g.s.Violation(); v != nil {
		p.Failure = explain(v)
	}
	name := filepath.Join(g.t.ArtifactDir(), "group.html")
	f, err := os.Create(name)
	if err != nil {
		g.t.Errorf("smrtest: no picture: %v", err)
		return
	}
	defer f.Close()
	if err := picture.Write(f, p); err != nil {
		g.t.Errorf("smrtest: no picture: %v", err)
		return
	}
	g.t.Logf("a picture of the run: %s", name)
}
