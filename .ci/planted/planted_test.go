package main

import (
	"bytes"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// module creates a small module whose test passes, and returns its root.
func module(t *testing.T) string {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module sum\n\ngo 1.26\n",
		"sum.go": "package sum\n\n// Of adds.\nfunc Of(a, b int) int {\n\treturn a + b\n}\n",
		"sum_test.go": "package sum\n\nimport \"testing\"\n\nfunc TestOf(t *testing.T) {\n\tt.Run(\"small\", func(t *testing.T) {\n\t\tif Of(2, 3) != 5 {\n\t\t\tt.Fatal(\"wrong\")\n\t\t}\n\t})\n}\n" +
			"\nfunc TestBroken(t *testing.T) { t.Fatal(\"always\") }\n",
		"internal/sim/sim_test.go": simulation,
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o777))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o666))
	}
	return root
}

// simulation is a test that fails like the simulation: at seed 3 if sums are wrong.
const simulation = `package sim

import (
	"flag"
	"testing"
	"time"

	"sum"
)

var (
	runs  = flag.Int("sim.runs", 0, "")
	first = flag.Int("sim.seed", 0, "")
	_     = flag.Int("sim.trace", 0, "")
	_     = flag.Int("sim.shrink", 0, "")
)

func TestNewSeeds(t *testing.T) {
	for seed := *first; seed < *first+*runs && !t.Failed(); seed++ {
		if seed == 3 && sum.Of(2, 3) != 5 {
			t.Errorf("seed %d: at 1.500000 s: not summed: it is %d: 5 %v\n\nits last steps:", seed, sum.Of(2, 3), time.Second)
		}
	}
	if sum.Of(9, 9) == 0 {
		t.Fatal("it does not say why")
	}
}
`

const plus = "file sum.go\nold\n\treturn a + b\nnew\n"

func TestPlanted(t *testing.T) {
	root := module(t)
	for _, c := range []struct{ name, table, says string }{
		{"found", "bug x\n" + plus + "\treturn a - b\nend\ntest . -run TestOf", "found    x"},
		{"names the innermost test", "bug x\n" + plus + "\treturn a - b\nend\ntest . -run TestOf", "by TestOf/small"},
		{"a panic is found", "bug x\n" + plus + "\tpanic(a)\nend\ntest . -run TestOf", "found    x"},
		{"harmless", "control x\n" + plus + "\treturn b + a\nend\ntest . -run TestOf", "harmless x"},
		{"not found", "bug x\n" + plus + "\treturn b + a\nend\ntest . -run TestOf", "FAIL     x (TABLE:1): go test . -run TestOf: passed: the bug was not found"},
		{"a control found", "control x\n" + plus + "\treturn a - b\nend\ntest . -run TestOf", "a harmless change made it fail"},
		{"one test of two", "bug x\n" + plus + "\treturn a*b - 1\nend\ntest . -run TestOf\n", "passed: the bug was not found"},
		{"does not compile", "bug x\n" + plus + "\treturn a +\nend\ntest . -run TestOf", "does not compile"},
		{"no such test", "bug x\n" + plus + "\treturn a - b\nend\ntest . -run TestNone", "there is no such test"},
		{"fails anyway", "bug x\n" + plus + "\treturn a - b\nend\ntest . -run TestBroken", "fails without any bug"},
		{"times out", "bug x\nlimit 1s\n" + plus + "\tfor {\n\t}\nend\ntest . -run TestOf", "no verdict in time"},
		{"not in the file", "bug x\nfile sum.go\nold\nreturn c\nnew\nend\ntest .", "the old text occurs 0 times in sum.go"},
		{"twice in the file", "bug x\nfile sum.go\nold\nb\nnew\nend\ntest .", "the old text occurs 2 times in sum.go"},
		{"simulated", "bug x\n" + plus + "\treturn a - b\nend\nsim", "by not summed, at seed 3, after 0."},
		{"simulated, with a description", "bug x\n" + plus + "\treturn a - b\nend\nsim", "s: it is -1: 5 1s\n"},
		{"simulated, harmless", "control x\n" + plus + "\treturn b + a\nend\nsim", "harmless x"},
		{"simulated, not found", "bug x\n" + plus + "\treturn b + a\nend\nsim", "the simulation did not find it in 2000 seeds"},
		{"simulated, too late", "bug x\nlimit 1ns\n" + plus + "\treturn a - b\nend\nsim", "found it only at seed 3, after"},
		{"simulated, a control found", "control x\n" + plus + "\treturn a - b\nend\nsim", "a harmless change made seed 3 fail: not summed: it is -1"},
		{"simulated, does not compile", "bug x\n" + plus + "\treturn a +\nend\nsim", "does not compile"},
		{"simulated, no violation", "bug x\n" + plus + "\treturn (a + b) % 9\nend\nsim", "no verdict"},
		{"no such file", "bug x\nfile none.go\nold\nb\nnew\nend\ntest .", "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bugs, err := tableOf(t, c.table)
			require.NoError(t, err)
			var report bytes.Buffer
			outcomes := garden{root: root, jobs: 2, report: &report}.try(bugs)
			says := strings.ReplaceAll(c.says, "TABLE", strings.TrimSuffix(bugs[0].where, ":1"))
			require.Contains(t, report.String(), says)
			require.Len(t, outcomes, 1)
			require.Equal(t, strings.Contains(report.String(), "FAIL     x"), outcomes[0].err != nil)
		})
	}
}

// A known seed is tried first. If it no longer shows the bug, the others are tried.
func TestPlantedSeedIsKnown(t *testing.T) {
	root := module(t)
	always := strings.Replace(simulation, "seed == 3 && ", "seed >= 3 && ", 1)
	require.NoError(t, os.WriteFile(filepath.Join(root, "internal/sim/sim_test.go"), []byte(always), 0o666))
	for known, foundAt := range map[int]int{0: 3, 2: 3, 7: 7} {
		bugs, err := tableOf(t, "bug x\n"+plus+"\treturn a * b\nend\nsim")
		require.NoError(t, err)
		bugs[0].seed = known
		o := garden{root: root, jobs: 1, report: io.Discard}.try(bugs)[0]
		require.NoError(t, o.err)
		require.Equal(t, foundAt, o.sim.seed, "%d is known", known)
	}
}

// A seed that fails without the bug as well does not count.
func TestPlantedInVain(t *testing.T) {
	root := module(t)
	broken := strings.Replace(simulation, "sum.Of(2, 3) != 5", "true", 1)
	require.NoError(t, os.WriteFile(filepath.Join(root, "internal/sim/sim_test.go"), []byte(broken), 0o666))
	bugs, err := tableOf(t, "bug x\n"+plus+"\treturn a - b\nend\nsim")
	require.NoError(t, err)
	outcomes := garden{root: root, jobs: 1, report: io.Discard}.try(bugs)
	require.ErrorContains(t, outcomes[0].err, "seed 3 fails without any bug: not summed")
}

// Both edits of a file are applied, and each of two bugs has its own.
func TestPlantedSeveral(t *testing.T) {
	bugs, err := tableOf(t, "# two\n\nbug x\n"+plus+"\treturn a - b\nend\nold\nfunc Of(a, b int)\nnew\nfunc Of(b, a int)\nend\ntest .  -run TestOf\n"+
		"control y\n"+plus+"\treturn b + a\nend\ntest . -run TestOf -v\nlimit 30s\n")
	require.NoError(t, err)
	require.Len(t, bugs, 2)
	require.Equal(t, []edit{{"sum.go", "\treturn a + b", "\treturn a - b"}, {"sum.go", "func Of(a, b int)", "func Of(b, a int)"}}, bugs[0].edits)
	require.Equal(t, [][]string{{".", "-run", "TestOf", "-v"}}, bugs[1].tests)
	var report bytes.Buffer
	outcomes := garden{root: module(t), jobs: 2, report: &report}.try(bugs)
	for _, o := range outcomes {
		require.NoError(t, o.err, report.String())
	}
	require.Positive(t, outcomes[0].after)
}

func TestTableRefused(t *testing.T) {
	for table, says := range map[string]string{
		"file x":                                `"file" before the first bug`,
		"bug x\nold\na\nnew\nb\nend":            "old without a file",
		"bug x\nfile f\nold\na\nnew\nb":         `no line "end"`,
		"bug x\nfile f\nold\na\nend":            `no line "new"`,
		"bug x\nwords":                          `"words" is not one of`,
		"bug x\n" + plus + "end":                "an edit (1), and either tests (0) or sim",
		"bug x\ntest .":                         "an edit (0), and either tests (1) or sim",
		"bug x\n" + plus + "end\nsim\ntest .":   "an edit (1), and either tests (1) or sim",
		"bug \n" + plus + "end\ntest .":         `a bug needs a name ("")`,
		"bug x\nlimit soon":                     "invalid duration",
		"bug x\n" + plus + "end\ntest .\nbug x": `"x" is already defined at`,
	} {
		_, err := tableOf(t, table)
		require.ErrorContains(t, err, says, table)
	}
}

// The table in docs/PLANTED.md lists exactly the planted bugs.
func TestListingIsOfTheTables(t *testing.T) {
	bugs, err := readTables(".")
	require.NoError(t, err)
	var planted []string
	for _, b := range bugs {
		planted = append(planted, b.name)
	}
	text, err := os.ReadFile(filepath.Join("..", "..", tableFile))
	require.NoError(t, err)
	_, table, _, err := cutListing(string(text))
	require.NoError(t, err)
	var listed []string
	for _, r := range rows(table) {
		listed = append(listed, r.name)
	}
	require.Equal(t, planted, listed, "rewrite the table with go run ./.ci/planted -table")
}

// Every planted text applies to the present sources, and the result parses.
func TestTablesFollowTheSources(t *testing.T) {
	bugs, err := readTables(".")
	require.NoError(t, err)
	for i := range bugs {
		changed, err := bugs[i].changed(filepath.Join("..", ".."))
		require.NoError(t, err, bugs[i].name)
		for path, text := range changed {
			_, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
			require.NoError(t, err, bugs[i].name)
		}
	}
}

func TestListing(t *testing.T) {
	bugs, err := tableOf(t, "bug one|two\n"+plus+"end\nsim\nbug three\n"+plus+"end\ntest . -run A\ncontrol four\n"+plus+"end\nsim\n")
	require.NoError(t, err)
	outcomes := []outcome{{sim: &catch{rule: "N7", seed: 12, after: 1500 * time.Millisecond}}, {by: []string{"TestA/x", "TestB"}, after: 2 * time.Second}, {}}
	file := filepath.Join(t.TempDir(), "table.md")
	require.NoError(t, os.WriteFile(file, []byte("before\n"+listingBegins+"\nold\n"+listingEnds+"\nafter\n"), 0o666))
	require.NoError(t, writeListing(file, bugs, outcomes))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	before, table, after, err := cutListing(string(text))
	require.NoError(t, err)
	require.Equal(t, []string{"before\n", "after\n"}, []string{before, after})
	require.Contains(t, table, "| one\\|two | N7: ops are applied in order | 12 | 1.50 s |\n")
	require.Contains(t, table, "| three | `TestA/x`, `TestB` | a test of its own | 2.00 s |\n")
	require.Equal(t, []row{{"one|two", 12}, {"three", 0}, {"four", 0}}, rows(table))
	require.NoError(t, recall(bugs, file))
	require.Equal(t, []int{12, 0, 0}, []int{bugs[0].seed, bugs[1].seed, bugs[2].seed})
	require.ErrorContains(t, writeListing(filepath.Join(t.TempDir(), "none"), bugs, outcomes), "none")
	_, _, _, err = cutListing("nothing")
	require.ErrorContains(t, err, "it lacks")
}

func tableOf(t *testing.T, text string) ([]bug, error) {
	path := filepath.Join(t.TempDir(), "table.txt")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	return readTable(path)
}
