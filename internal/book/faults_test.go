package book

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const shownBy = "Shown by: "

var (
	quoted      = regexp.MustCompile("`([^`]+)`")
	testName    = regexp.MustCompile(`^(Test|Fuzz|Example)\w*$`)
	testFunc    = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`)
	plantedName = regexp.MustCompile(`(?m)^(?:bug|control) (.+)$`)
	faultName   = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
)

// TestFaultsAreShown wants every fault in docs/FAULTS.md to name what shows it, and that to exist.
func TestFaultsAreShown(t *testing.T) {
	there := evidence(t)
	for _, s := range sections(read(t, "docs/FAULTS.md")) {
		named := evidenceOf(s.body)
		fault := strings.HasPrefix(s.heading, "### ")
		if !fault && !strings.Contains(s.body, shownBy) {
			continue
		}
		assert.NotEmpty(t, named, "%s: nothing shows it", s.heading)
		for _, name := range named {
			assert.True(t, there(name), "docs/FAULTS.md, %s: there is no `%s`", s.heading, name)
		}
	}
}

// evidenceOf returns what the paragraph that begins with shownBy names.
func evidenceOf(body string) (names []string) {
	for paragraph := range strings.SplitSeq(body, "\n\n") {
		if list, found := strings.CutPrefix(strings.TrimSpace(paragraph), shownBy); found {
			for _, m := range quoted.FindAllStringSubmatch(strings.ReplaceAll(list, "\n", " "), -1) {
				names = append(names, m[1])
			}
		}
	}
	return names
}

// evidence returns a function that reports whether a test, a transcript, a schedule, a fault of the
// simulation or a planted bug of that name exists.
func evidence(t *testing.T) func(name string) bool {
	there := map[string]bool{}
	for _, name := range files(t, "_test.go") {
		for _, m := range testFunc.FindAllStringSubmatch(read(t, name), -1) {
			there[m[1]] = true
		}
	}
	for _, name := range files(t, ".txt", ".schedule") {
		switch dir := filepath.ToSlash(filepath.Dir(name)); {
		case dir == ".ci/planted":
			for _, m := range plantedName.FindAllStringSubmatch(read(t, name), -1) {
				there[m[1]] = true
			}
		case strings.HasPrefix(dir, "internal/"):
			there[filepath.Base(name)] = true
		}
	}
	kinds := faultKinds(t)
	return func(name string) bool {
		switch {
		case testName.MatchString(name):
			return there[name]
		case faultName.MatchString(name):
			return kinds[name]
		}
		return there[name]
	}
}

// faultKinds returns the strings of the simulation that can name a fault.
func faultKinds(t *testing.T) map[string]bool {
	product, kinds := closure(t), map[string]bool{}
	literal := regexp.MustCompile(`"[a-z-]+"`)
	for _, name := range files(t, ".go") {
		if isEvidence(product, name) && !strings.HasSuffix(name, "_test.go") {
			for _, s := range literal.FindAllString(read(t, name), -1) {
				kind, err := strconv.Unquote(s)
				require.NoError(t, err)
				kinds[kind] = true
			}
		}
	}
	return kinds
}
