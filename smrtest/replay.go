package smrtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smr-go/smr/internal/sim"
)

// replay plays the schedule in a file and reports whether it passed. If not, the test fails.
func (x *trial) replay(t *testing.T, file string) bool {
	t.Helper()
	s, err := readSchedule(file)
	if err != nil {
		t.Errorf("smrtest: %v", err)
		return false
	}
	r, f := x.playSchedule(t, s, "the schedule "+file)
	if f != nil {
		t.Error(f.text())
		return false
	}
	if len(r.Ineffective) > 0 {
		t.Logf("%s", ineffective(file, s, r))
	}
	t.Logf("%s: passed; %v of virtual time with %d faults; %d commands and %d reads answered", file, r.Virtual, r.Stats.Faults, r.Stats.Answers, r.Stats.Reads)
	return true
}

// playSchedule plays a schedule and returns its failure, nil if it passes. origin describes the schedule.
func (x *trial) playSchedule(t *testing.T, s *sim.Schedule, origin string) (*sim.Report, *failure) {
	r, recording := x.record(t, scheduled(s))
	if r.Violation == nil {
		return r, nil
	}
	f := &failure{x: x, report: r, origin: origin}
	f.write(t, "", recording)
	return r, f
}

func readSchedule(file string) (*sim.Schedule, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return sim.ReadSchedule(f)
}

// kept returns the directory of the schedules that belong to this test.
func (x *trial) kept() string {
	return filepath.Join("testdata", "smrtest", filepath.FromSlash(x.name))
}

// playKept plays the schedules that belong to this test and reports whether all passed.
func (x *trial) playKept(t *testing.T) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(x.kept(), "*.schedule"))
	well := err == nil
	for _, file := range files {
		well = x.replay(t, file) && well
	}
	return well
}

// ineffective lists the faults of a schedule that had no effect.
func ineffective(file string, s *sim.Schedule, r *sim.Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d of its %d faults had no effect, so it may no longer show what it was kept for:", file, len(r.Ineffective), len(s.Faults))
	for i := range r.Ineffective {
		fmt.Fprintf(&b, "\n  %s: %s", &r.Ineffective[i].Fault, r.Ineffective[i].Why)
	}
	return b.String()
}
