package smrtest

import (
	"flag"
	"os"
	"path/filepath"

	"github.com/smr-go/smr/internal/picture"
	"github.com/smr-go/smr/internal/sim"
)

// pictured reports whether runs are drawn: go test -artifacts keeps what tests leave.
var pictured = func() bool {
	f := flag.Lookup("test.artifacts")
	return f != nil && f.Value.String() == "true"
}

// drawn is how many messages a picture shows: the last ones.
const drawn = 50_000

// watch returns what records the run, if it is to be drawn.
func (g *group) watch() sim.Watcher {
	if !pictured() {
		return nil
	}
	g.recording = sim.NewRecording(len(g.names), drawn)
	g.t.Cleanup(g.draw)
	return g.recording
}

// calls has the picture call what happens next as the test's report does.
func (g *group) calls(what string) {
	if g.recording != nil {
		g.recording.Words = what
	}
}

// draw makes a picture of the run, once it is over.
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
