package book

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	markdownLink = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)
	goLink       = regexp.MustCompile(`(docs/)?[A-Z]{4,}\.md(#[\w-]*)?`)
	notInSlugs   = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// withoutLinks returns a text without the links to headings in it.
func withoutLinks(text string) string {
	text = regexp.MustCompile(`\]\([^)\s]+\)`).ReplaceAllString(text, "]")
	return regexp.MustCompile(`\S+\.md#\S+`).ReplaceAllString(text, "")
}

// documents are the module's pages.
func documents(t *testing.T) (names []string) {
	for _, name := range files(t, ".md") {
		if !strings.Contains(name, "testdata/") {
			names = append(names, name)
		}
	}
	require.Contains(t, names, "README.md")
	return names
}

// TestLinksResolve checks that the links of the documents lead somewhere, headings included, and so do
// the documents that code refers to.
func TestLinksResolve(t *testing.T) {
	for _, name := range documents(t) {
		for _, m := range markdownLink.FindAllStringSubmatch(outsideCode(read(t, name)), -1) {
			if !strings.Contains(m[1], "://") {
				target := m[1]
				if strings.HasPrefix(target, "#") {
					target = path.Base(name) + target
				}
				resolve(t, name, path.Join(path.Dir(name), target))
			}
		}
	}
	for _, name := range files(t, ".go", "run") {
		for _, target := range goLink.FindAllString(read(t, name), -1) {
			resolve(t, name, target)
		}
	}
}

// resolve looks for a file of the module, and for the heading that follows #.
func resolve(t *testing.T, from, target string) {
	file, anchor, found := strings.Cut(target, "#")
	if _, err := os.Stat(filepath.Join(root, file)); err != nil {
		t.Errorf("%s refers to %s, which is not there", from, target)
		return
	}
	if found {
		assert.Contains(t, anchors(read(t, file)), anchor, "%s refers to %s", from, target)
	}
}

// anchors returns the names that GitHub gives to a document's headings.
func anchors(text string) (names []string) {
	for _, s := range sections(text) {
		title := strings.TrimLeft(s.heading, "# ")
		title = notInSlugs.ReplaceAllString(strings.ToLower(title), "")
		names = append(names, strings.ReplaceAll(title, " ", "-"))
	}
	return names
}
