package book

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smr-go/smr/internal/sim/fault"
)

const shownBy = "Shown by: "

var (
	quoted      = regexp.MustCompile("`([^`]+)`")
	testName    = regexp.MustCompile(`^(Test|Fuzz|Example)\w*$`)
	testFunc    = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(`)
	plantedName = regexp.MustCompile(`(?m)^(?:bug|control) (.+)$`)
)

// TestFaultsAreShown checks that every fault in docs/FAULTS.md names evidence, and that it exists.
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
			assert.True(t, there[name], "docs/FAULTS.md, %s: there is no `%s`", s.heading, name)
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

// evidence returns the names of all tests, transcripts, schedules, planted bugs and faults of the simulation.
func evidence(t *testing.T) map[string]bool {
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
	for k := fault.Crash; k < fault.Kinds; k++ {
		there[k.String()] = true
	}
	return there
}
