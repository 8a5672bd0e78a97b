package smrtest

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/smrtest/internal/failing"
)

// inWords describes the operations of counts.
func inWords(body []byte) string { return "count one more " + string(body) }

// The report, the steps and the picture of a group show operations as Options.Describe does.
func TestGroupDescribesOperations(t *testing.T) {
	was := pictured
	pictured = func() bool { return true }
	defer func() { pictured = was }()
	long := inc(strings.Repeat("x", 100))
	failure := failing.Test(t, func(t testing.TB) {
		c := New(t, 3, buggy("panic"), Options{Describe: inWords})
		for range 3 {
			c.Client().MustPropose(long)
		}
	})
	assert.Contains(t, failure, "count one more "+string(long)+": Apply", "the violation")
	assert.Contains(t, failure, "propose count one more "+string(long)+" at a: ", "the steps")
	page, err := os.ReadFile(filepath.Join(t.ArtifactDir(), "group.html"))
	require.NoError(t, err)
	assert.Contains(t, string(page), "count one more "+string(long)+": ", "the picture")

	failure = failing.Test(t, func(t testing.TB) {
		c := New(t, 3, newCounts, Options{Describe: inWords})
		c.Crash()
		c.Client().MustPropose(inc("x"))
	})
	assert.Contains(t, failure, "MustPropose(count one more x): ")
}

// So do the reports of Explore, by Config.Describe; the name of the Command is left out then.
func TestExploreDescribesOperations(t *testing.T) {
	c := countsOf(Command("inc", func(*rand.Rand) []byte { return inc("x") }))
	c.New, c.Describe = buggy("panic"), inWords
	report := exploring(t, c)
	assert.Contains(t, report, "count one more x: Apply panicked: three is too many")
	assert.Regexp(t, `s  count one more x: "1" at op`, report)
	assert.NotContains(t, report, `inc "x"`)
}

// A Describe that panics is the test's mistake: the operation is shown without it.
func TestDescribeMayPanic(t *testing.T) {
	failure := failing.Test(t, func(t testing.TB) {
		c := New(t, 3, newCounts, Options{Describe: func([]byte) string { panic("no words") }})
		c.Crash()
		c.Client().MustPropose(inc("x"))
	})
	assert.Contains(t, failure, `MustPropose("x" (Describe panicked: no words)): `)
}

// A wide result is shown where it differs from the right one.
func TestResultsAreShownWhereTheyDiffer(t *testing.T) {
	failure := failing.Test(t, func(t testing.TB) {
		c := New(t, 3, buggy("wide"))
		c.Client().MustPropose(inc("x"))
		c.Client().MustPropose(inc("x"))
	})
	assert.Regexp(t, `returned \.\.\."0{133}2" from byte 367 of 501, and .* \.\.\."0{133}1" from byte 367 of 501`, failure)
}
