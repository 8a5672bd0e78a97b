package smrtest

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

var writeReport = flag.Bool("report", false, "write testdata/report.txt anew")

// forgetter counts, and returns the name of the previous client, which its snapshots lack.
type forgetter struct {
	n    int
	last string
}

func (c *forgetter) Apply(op smr.Op) []byte {
	c.n++
	result := fmt.Appendf(nil, "%d, after %q", c.n, c.last)
	c.last = string(op.Body)
	return result
}

func (c *forgetter) Snapshot() (io.WriterTo, error) { return strings.NewReader(fmt.Sprint(c.n)), nil }

func (c *forgetter) Restore(r io.Reader) error {
	_, err := fmt.Fscan(r, &c.n)
	return err
}

func (c *forgetter) String() string { return fmt.Sprintf("n=%d last=%q", c.n, c.last) }

// The report in the documentation is a real one, except for numbers and
// names of files.
func TestReportIsAsShown(t *testing.T) {
	if *writeReport {
		t.Setenv("TMPDIR", "/tmp")
	} else {
		tempFiles(t)
	}
	alarms(t)
	c := Config[*forgetter]{New: func() *forgetter { return &forgetter{} },
		Workload: []Operation{Command("inc", func(r *rand.Rand) []byte { return []byte([]string{"ann", "bob"}[r.IntN(2)]) })}}
	x, err := c.trial("TestCounter")
	require.NoError(t, err)
	h := x.newSearch()
	h.runs = 1
	h.run(t)
	require.NotNil(t, h.first)
	report := x.report(t, h.first) + "\n"
	shown := filepath.Join("testdata", "report.txt")
	if *writeReport {
		require.NoError(t, os.WriteFile(shown, []byte(report), 0o644))
	}
	want, err := os.ReadFile(shown)
	require.NoError(t, err)
	assert.Equal(t, withoutNumbers(string(want)), withoutNumbers(report))
}

// withoutNumbers leaves of a report what does not depend on a seed or a machine.
func withoutNumbers(report string) string {
	for _, x := range []struct{ what, by string }{
		{`[^ =\n]*/smrtest-\d+/`, "DIR/"},
		{`\d+(\.\d+)?`, "N"},
		{`\b(ann|bob)\b`, "NAME"},
		{`(primary|backup|forming) +`, "ROLE  "},
		{`"NAME"|""`, "WHO"},
	} {
		report = regexp.MustCompile(x.what).ReplaceAllString(report, x.by)
	}
	return report
}
