// Package book tests that the documents, the code and the tests agree: that the rules which the
// code cites are in docs/PROTOCOL.md and docs/FAULTS.md, that the built ones are applied and shown,
// and that what the documents name exists.
package book

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the module's directory.
const root = "../.."

// entry is a rule, an invariant or a fault: a heading such as "### N1: Admission" and what follows.
type entry struct {
	id       string
	document string
	built    bool // false if its first paragraph begins with notBuilt
}

// The marks of what is designed and not built: of a whole rule, and of a part of one.
const (
	notBuilt     = "**Not built yet.** "
	partNotBuilt = "**Not built yet:** "
)

var (
	heading   = regexp.MustCompile(`^(#{1,6}) (.+)$`)
	entryLine = regexp.MustCompile(`^### ([NVCSXREDF]\d+|11\.\d+): \S`)
	spelled   = regexp.MustCompile(`(?i)not\s+built`)
)

// read returns a file of the module.
func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return string(b)
}

// entries returns what a document defines.
func entries(t *testing.T, document string) (all []entry) {
	for _, section := range sections(read(t, document)) {
		if m := entryLine.FindStringSubmatch(section.heading); m != nil {
			all = append(all, entry{m[1], document, !strings.HasPrefix(section.body, notBuilt)})
		}
	}
	require.NotEmpty(t, all, "%s defines nothing", document)
	return all
}

// section is a heading with the text up to the next one.
type section struct{ heading, body string }

func sections(text string) (all []section) {
	for line := range strings.Lines(outsideCode(text)) {
		if heading.MatchString(strings.TrimSuffix(line, "\n")) {
			all = append(all, section{heading: strings.TrimSpace(line)})
		} else if len(all) > 0 {
			last := &all[len(all)-1]
			last.body = strings.TrimLeft(last.body+line, "\n")
		}
	}
	return all
}

// outsideCode returns a Markdown text without its fenced blocks.
func outsideCode(text string) string {
	var b strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		if fence := strings.HasPrefix(strings.TrimSpace(line), "```"); fence {
			inside = !inside
		} else if !inside {
			b.WriteString(line)
		}
	}
	return b.String()
}

// book returns everything that may be cited.
func book(t *testing.T) map[string]entry {
	all := map[string]entry{}
	for _, document := range []string{"docs/PROTOCOL.md", "docs/FAULTS.md"} {
		for _, e := range entries(t, document) {
			require.NotContains(t, all, e.id, "%s is defined twice", e.id)
			all[e.id] = e
		}
	}
	return all
}

// TestMarksAreUniform checks that "not built" occurs only in the two forms that tests read.
func TestMarksAreUniform(t *testing.T) {
	for _, document := range []string{"docs/PROTOCOL.md", "docs/FAULTS.md"} {
		for _, s := range sections(read(t, document)) {
			if strings.HasPrefix(s.heading, "# ") {
				continue // it explains the marks
			}
			for i, paragraph := range strings.Split(s.body, "\n\n") {
				rest := strings.TrimPrefix(strings.TrimLeft(paragraph, "\n"), partNotBuilt)
				if i == 0 {
					rest = strings.TrimPrefix(rest, notBuilt)
				}
				require.NotRegexp(t, spelled, rest,
					"%s, %s: a paragraph says that something is not built, and does not begin with %q", document, s.heading, partNotBuilt)
			}
		}
	}
}
