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

// write writes the files of a failure to dir, or to a new directory if dir is "", and adds their names to
// the report.
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

// before is the number of calls in a report.
const before = 10

// base returns the beginning of the names of a failure's files.
func (f *failure) base(dir string) string {
	name := strings.NewReplacer("/", "-", `\`, "-").Replace(f.x.name)
	if f.seed != "" {
		name += "-" + f.seed
	}
	return filepath.Join(dir, name)
}

// writeIn writes the files to dir.
func (f *failure) writeIn(dir string, recording *sim.Recording) {
	base := f.base(dir)
	schedule := base + ".schedule"
	f.file(schedule, "the schedule: the run's settings and faults", f.writeSchedule)
	f.again = append([]again{{"to repeat it", f.x.playing(schedule)}}, f.again...)
	history := ""
	if f.report.Violation.Rule == judge.RuleModel {
		path := base + "-history.html"
		f.file(path, "the answers, as porcupine draws them", f.writeHistory)
		history = filepath.Base(path)
	}
	f.file(base+".html", "a picture of the run, for a browser", func(w io.Writer) error { return f.writePicture(w, recording, history) })
}

// file writes one file and adds it to the report, with the error in place of its description if it could
// not be written.
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

// verdictFor is the real time that porcupine may take for its drawing.
const verdictFor = 10 * time.Second

func (f *failure) writeHistory(w io.Writer) error {
	_, info := porcupine.CheckOperationsVerbose(*f.x.work.Model, f.report.History, verdictFor)
	return porcupine.Visualize(*f.x.work.Model, info, w)
}
