package smrtest

import (
	"fmt"
	"strings"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/sim/fault"
)

// failure is the report of a run that failed.
type failure struct {
	first  string // the first paragraph; may be empty
	x      *trial
	report *sim.Report
	origin string // the seed or schedule of the run
	seed   string // of the run, in names of files; "" if it has none
	faults int    // the number of faults when the run was found; 0: as many as it has
	note   string // a paragraph; may be empty
	calls  []string
	files  []file
	again  []again
}

// file is a file that was written, and a description.
type file struct{ path, what string }

// again is a command that repeats the run, and a description.
type again struct{ what, command string }

// failed returns the failure of a run that a hunt found.
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
	fmt.Fprintf(&b, "after %s of virtual time in a group of %d, found with %s\n", at(v.At), f.report.Schedule.Setup.Replicas, f.origin)
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
	if f.faults > len(faults) {
		fmt.Fprintf(b, ", %d of %d", len(faults), f.faults)
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

// look returns a replica in one line, which ends with more, and its state in further lines if it can be
// shown.
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
