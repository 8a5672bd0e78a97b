package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// module makes a small module whose test is good, and returns its root.
func module(t *testing.T) string {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module sum\n\ngo 1.26\n",
		"sum.go": "package sum\n\n// Of adds.\nfunc Of(a, b int) int {\n\treturn a + b\n}\n",
		"sum_test.go": "package sum\n\nimport \"testing\"\n\nfunc TestOf(t *testing.T) {\n\tt.Run(\"small\", func(t *testing.T) {\n\t\tif Of(2, 3) != 5 {\n\t\t\tt.Fatal(\"wrong\")\n\t\t}\n\t})\n}\n" +
			"\nfunc TestBroken(t *testing.T) { t.Fatal(\"always\") }\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o666))
	}
	return root
}

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
		{"not in the file", "bug x\nfile sum.go\nold\nreturn c\nnew\nend\ntest .", "the old text is 0 times in sum.go"},
		{"twice in the file", "bug x\nfile sum.go\nold\nb\nnew\nend\ntest .", "the old text is 2 times in sum.go"},
		{"no such file", "bug x\nfile none.go\nold\nb\nnew\nend\ntest .", "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bugs, err := tableOf(t, c.table)
			require.NoError(t, err)
			var report bytes.Buffer
			found, failures := garden{root: root, jobs: 2, report: &report}.try(bugs)
			says := strings.ReplaceAll(c.says, "TABLE", strings.TrimSuffix(bugs[0].where, ":1"))
			require.Contains(t, report.String(), says)
			require.Equal(t, strings.Contains(report.String(), "FAIL     x"), failures == 1)
			require.Equal(t, 1, found+failures)
		})
	}
}

// Two edits of one file are both made, and of two bugs each has its own.
func TestPlantedSeveral(t *testing.T) {
	bugs, err := tableOf(t, "# two\n\nbug x\n"+plus+"\treturn a - b\nend\nold\nfunc Of(a, b int)\nnew\nfunc Of(b, a int)\nend\ntest .  -run TestOf\n"+
		"control y\n"+plus+"\treturn b + a\nend\ntest . -run TestOf -v\nlimit 30s\n")
	require.NoError(t, err)
	require.Len(t, bugs, 2)
	require.Equal(t, []edit{{"sum.go", "\treturn a + b", "\treturn a - b"}, {"sum.go", "func Of(a, b int)", "func Of(b, a int)"}}, bugs[0].edits)
	require.Equal(t, [][]string{{".", "-run", "TestOf", "-v"}}, bugs[1].tests)
	var report bytes.Buffer
	found, failures := garden{root: module(t), jobs: 2, report: &report}.try(bugs)
	require.Equal(t, []int{2, 0}, []int{found, failures}, report.String())
}

func TestTableRefused(t *testing.T) {
	for table, says := range map[string]string{
		"file x":                                `"file" before the first bug`,
		"bug x\nold\na\nnew\nb\nend":            "old without a file",
		"bug x\nfile f\nold\na\nnew\nb":         `no line "end"`,
		"bug x\nfile f\nold\na\nend":            `no line "new"`,
		"bug x\nwords":                          `"words" is none of`,
		"bug x\n" + plus + "end":                "an edit (1) and a test (0)",
		"bug x\ntest .":                         "an edit (0) and a test (1)",
		"bug \n" + plus + "end\ntest .":         `a bug needs a name ("")`,
		"bug x\nlimit soon":                     "invalid duration",
		"bug x\n" + plus + "end\ntest .\nbug x": `"x" is at`,
	} {
		_, err := tableOf(t, table)
		require.ErrorContains(t, err, says, table)
	}
}

func tableOf(t *testing.T, text string) ([]bug, error) {
	path := filepath.Join(t.TempDir(), "table.txt")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	return readTable(path)
}
