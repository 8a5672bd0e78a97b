package smrtest

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/anishathalye/porcupine"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/picture"
	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/judge"
)

// failure is the report of a run that failed.
type failure struct {
	first  string // the first paragraph; may be empty
	x      *trial
	report *sim.Report
	origin string       // the seed or schedule of the run
	seed   string       // of the run, in names of files; "" if it has none
	found  sim.Schedule // the run as it was found; zero: as it is
	note   string       // a paragraph; may be empty
	calls  []string
	files  []file
	again  []again
}

// file is a file that was written, and a description.
type file struct{ path, what string }

// again is a command that repeats the run, and a description.
type again struct{ what, command string }

// failed returns the failure of a run that a search found.
func (x *trial) failed(found *finding) *failure {
	seed := fmt.Sprintf("seed %d", found.seed)
	return &failure{x: x, report: found.report, origin: seed, seed: strings.ReplaceAll(seed, " ", "-")}
}

// text returns the whole report.
func (f *failure) text() string {
	var b strings.Builder
	v := f.report.Violation
	if f.first != "" && v.Rule != contract.Deterministic.Name && v.Rule != contract.Fresh.Name {
		fmt.Fprintf(&b, "%s\n\n", f.first)
	}
	fmt.Fprintf(&b, "%s\n\n", explain(v))
	of, calls := "", len(f.report.Schedule.Calls)
	if len(f.found.Calls) > calls {
		of = fmt.Sprintf(" of %d", len(f.found.Calls))
	}
	fmt.Fprintf(&b, "after %s of virtual time in a group of %d with %d%s operations, found with %s\n",
		at(v.At), f.report.Schedule.Setup.Replicas, calls, of, f.origin)
	if f.note != "" {
		fmt.Fprintf(&b, "%s\n", f.note)
	}
	f.writeFaults(&b)
	if len(f.calls) > 0 {
		b.WriteString("\nthe last calls, and pending ones\n")
		for _, line := range f.calls {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	if len(f.report.Hosts) > 0 {
		b.WriteString("\nthe replicas\n")
		for i := range f.report.Hosts {
			fmt.Fprintf(&b, "  %s  %s\n", fault.Name(i), look(&f.report.Hosts[i], ""))
		}
	}
	if len(f.files) > 0 {
		b.WriteString("\nthe files\n")
		for _, x := range f.files {
			fmt.Fprintf(&b, "  %s\n      %s\n", x.path, x.what)
		}
	}
	b.WriteString("\n")
	for _, x := range f.again {
		fmt.Fprintf(&b, "%s:\n  %s\n", x.what, x.command)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// inLine returns the violation in one line.
func (f *failure) inLine() string {
	rule, text, _ := strings.Cut(explain(f.report.Violation), "\n")
	text, _, _ = strings.Cut(text, "\n")
	return rule + ": " + text
}

func (f *failure) writeFaults(b *strings.Builder) {
	faults := f.report.Schedule.Faults
	if len(faults) == 0 {
		b.WriteString("\nit happens without a fault\n")
		return
	}
	b.WriteString("\nthe faults")
	if len(f.found.Faults) > len(faults) {
		fmt.Fprintf(b, ", %d of %d", len(faults), len(f.found.Faults))
	}
	b.WriteString("\n")
	for i := range faults {
		if i == shown {
			fmt.Fprintf(b, "  … and %d more\n", len(faults)-i)
			return
		}
		fmt.Fprintf(b, "  %s\n", &faults[i])
	}
}

// look returns a replica in one line, which ends with more, and its state in further lines if it can be shown.
func look(x *sim.HostStatus, more string) string {
	s := &x.State
	switch {
	case x.Lost:
		return "its memory is lost, so it stays out of the group"
	case !x.Up:
		return "down"
	case x.Paused:
		more = "; it is paused" + more
	}
	if s.Problem != "" {
		more += "; it reports: " + s.Problem
	}
	if state := stateOf(x.Machine); state != "" {
		more += "\n     " + state
	}
	return fmt.Sprintf("%-11s  view %d, log to op %d, committed %d, applied %d, snapshot %d", s.Phase, s.Head.View,
		max(uint64(s.Last.Op), x.Applied), max(uint64(s.Commit), x.Applied), x.Applied, s.Snapshot) + more
}

// write writes the files of a failure to dir, or to a new directory if dir is "", and adds their names to the report.
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
	schedule := f.file(base+".schedule", "the schedule: the run's settings, operations and faults", f.writeSchedule)
	f.again = append([]again{{"to repeat it", f.x.replayCommand(schedule)}}, f.again...)
	history := ""
	if f.report.Violation.Rule == judge.RuleModel {
		history = filepath.Base(f.file(base+"-history.html", "the answers, as porcupine draws them", f.writeHistory))
	}
	f.file(base+".html", "a picture of the run, for a browser", func(w io.Writer) error { return f.writePicture(w, recording, history) })
}

// file writes one file, adds it to the report, with the error in place of its description if it could not be written,
// and returns its name.
func (f *failure) file(path, what string, write func(w io.Writer) error) string {
	path, err := writeFile(path, write)
	if err != nil {
		what = "could not be written: " + err.Error()
	}
	f.files = append(f.files, file{path, what})
	return path
}

// writeFile writes a file, with a number in its name if there is one of that name, and returns its name.
func writeFile(path string, write func(w io.Writer) error) (string, error) {
	path = unused(path)
	w, err := os.Create(path)
	if err != nil {
		return path, err
	}
	return path, cmp.Or(write(w), w.Close())
}

// unused returns a name like path that no file has.
func unused(path string) string {
	ext := filepath.Ext(path)
	stem := strings.TrimSuffix(path, ext)
	for i := 2; ; i++ {
		if _, err := os.Lstat(path); err != nil {
			return path
		}
		path = fmt.Sprintf("%s-%d%s", stem, i, ext)
	}
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

// stateOf returns the state of a machine as text: what its String method returns, or else its snapshot, or "" if that
// is not text.
func stateOf(m smr.StateMachine) (text string) {
	err := guard("the state", func() error {
		if s, ok := m.(fmt.Stringer); ok {
			text = s.String()
			return nil
		}
		b, err := contract.Wrap(m).Encode()
		if text = strings.TrimSpace(string(b)); !printable(text[:min(len(text), muchState)]) {
			text = ""
		}
		return err
	})
	if err != nil {
		return ""
	}
	if len(text) > muchState {
		text = strings.ToValidUTF8(text[:muchState], "") + "…"
	}
	return text
}

// muchState is the most bytes of a state that are shown.
const muchState = 300

// printable reports whether a text can be shown as it is. It ignores a rune that is cut off at the end.
func printable(text string) bool {
	for i, r := range text {
		if r == utf8.RuneError && i < len(text)-utf8.UTFMax || r != '\n' && r != '\t' && r != utf8.RuneError && !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
