package smrtest

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/smr-go/smr/internal/picture"
	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/sim/judge"
)

// write writes the files of a failure to dir, a new one if that is "", and says in it where they are.
func (f *failure) write(t *testing.T, dir string, recording *sim.Recording) {
	f.calls = recording.Calls(before)
	if dir == "" {
		var err error
		if dir, err = directory(t); err != nil {
			t.Logf("smrtest: no files are written: %v", err)
			return
		}
	}
	f.writeIn(dir, recording)
}

// before is how many calls a report shows.
const before = 10

// base is what the names of a failure's files begin with.
func (f *failure) base(dir string) string {
	return filepath.Join(dir, strings.NewReplacer("/", "-", `\`, "-").Replace(f.x.name))
}

// writeIn writes them there. What cannot be written is said in place of what it is.
func (f *failure) writeIn(dir string, recording *sim.Recording) {
	base := f.base(dir)
	schedule := base + ".schedule"
	f.file(schedule, "the schedule: the world of the run, and its faults", f.writeSchedule)
	f.again = append([]again{{"the same again", f.x.playing(schedule)}}, f.again...)
	history := ""
	if f.report.Violation.Rule == judge.RuleModel {
		path := base + "-history.html"
		f.file(path, "what callers saw, in porcupine's view", f.writeHistory)
		history = filepath.Base(path)
	}
	f.file(base+".html", "the picture of the run, for a browser", func(w io.Writer) error { return f.writePicture(w, recording, history) })
}

// file writes one.
func (f *failure) file(path, what string, write func(w io.Writer) error) {
	w, err := os.Create(path)
	if err == nil {
		err = write(w)
		if err2 := w.Close(); err == nil {
			err = err2
		}
	}
	if err != nil {
		what = "could not be written: " + err.Error()
	}
	f.files = append(f.files, file{path, what})
}

func (f *failure) writeSchedule(w io.Writer) error {
	s := f.report.Schedule
	s.About = fmt.Sprintf("%s, %s\n%s", f.x.name, f.origin, explain(f.report.Violation))
	_, err := s.WriteTo(w)
	return err
}

func (f *failure) writePicture(w io.Writer, recording *sim.Recording, history string) error {
	p := recording.Picture(f.report)
	p.Title = fmt.Sprintf("%s, %s", f.x.name, f.origin)
	p.Command, p.History, p.Failure = f.again[0].command, history, explain(f.report.Violation)
	return picture.Write(w, p)
}

// verdictFor is how long porcupine may take for its view, in real time.
const verdictFor = 10 * time.Second

func (f *failure) writeHistory(w io.Writer) error {
	_, info := porcupine.CheckOperationsVerbose(*f.x.work.Model, f.report.History, verdictFor)
	return porcupine.Visualize(*f.x.work.Model, info, w)
}
