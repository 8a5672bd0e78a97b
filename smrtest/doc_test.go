package smrtest

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/sim/fault"
)

// The package documentation describes every kind of fault.
func TestGuideNamesTheFaults(t *testing.T) {
	guide, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	_, faults, found := strings.Cut(string(guide), "// # The faults of a schedule\n")
	require.True(t, found)
	faults, _, _ = strings.Cut(faults, "// # ")
	for kind := fault.Crash; kind <= fault.HandOver; kind++ {
		assert.Regexp(t, `[\t ]`+kind.String()+`[ ,\n]`, faults)
	}
}

// The report that the package's comment shows is the one that TestReportIsAsShown keeps true.
func TestGuideShowsTheReport(t *testing.T) {
	report, err := os.ReadFile("testdata/report.txt")
	require.NoError(t, err)
	guide, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	begin, _, found := strings.Cut(string(report), "\nthe files\n")
	require.True(t, found)
	for line := range strings.Lines(begin) {
		if line = strings.TrimSpace(line); line != "" {
			assert.True(t, strings.Contains(string(guide), line), "doc.go does not show %q", line)
		}
	}
}
