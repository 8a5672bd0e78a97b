package book

import (
	"fmt"
	"go/scanner"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/smr-go/smr"

// citation is the number of a rule or fault in a comment, a string or a document.
type citation struct {
	id   string
	file string // from the module's root, with slashes
	line int
}

func (c citation) String() string { return fmt.Sprintf("%s:%d: %s", c.file, c.line, c.id) }

var number = regexp.MustCompile(`[NVCSXREDF]\d{1,2}|11\.\d{1,2}`)

// numbers returns the rules and faults that a text cites. A number that is part of a longer word, number
// or path is none.
func numbers(text string) (ids []string) {
	for _, m := range number.FindAllStringIndex(text, -1) {
		before, after := text[:m[0]], text[m[1]:]
		if !regexp.MustCompile(`[\w.@/%#+-]$`).MatchString(before) && !regexp.MustCompile(`^(\w|\.\d|[@/+]|-\w| m?s\b)`).MatchString(after) {
			ids = append(ids, text[m[0]:m[1]])
		}
	}
	return ids
}

// files returns the names of the module's files that end so, without those of this package.
func files(t *testing.T, suffixes ...string) (names []string) {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		name = filepath.ToSlash(name)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || name == "internal/book"):
			return filepath.SkipDir
		case !d.IsDir() && slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) }):
			names = append(names, name)
		}
		return nil
	})
	require.NoError(t, err)
	return names
}

// citations returns all citations in the module.
func citations(t *testing.T) (all []citation) {
	for _, name := range files(t, ".go") {
		all = append(all, goCitations(t, name)...)
	}
	for _, name := range files(t, ".md", ".txt", ".schedule") {
		comments := !strings.HasSuffix(name, ".md")
		line := 0
		for text := range strings.Lines(read(t, name)) {
			line++
			if comments && !strings.HasPrefix(text, "#") {
				continue // bytes of a fixture, or a bug's text, which is in the sources
			}
			for _, id := range numbers(text) {
				all = append(all, citation{id, name, line})
			}
		}
	}
	return all
}

// goCitations returns the citations in the comments and strings of a Go file.
func goCitations(t *testing.T, name string) (all []citation) {
	text := []byte(read(t, name))
	set := token.NewFileSet()
	var s scanner.Scanner
	s.Init(set.AddFile(name, -1, len(text)), text, nil, scanner.ScanComments)
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			return all
		}
		if tok != token.COMMENT && tok != token.STRING {
			continue
		}
		for i, line := range strings.Split(literal, "\n") {
			for _, id := range numbers(line) {
				all = append(all, citation{id, name, set.Position(pos).Line + i})
			}
		}
	}
}

// TestCitedRulesExist checks that every rule and fault that is cited is in the book.
func TestCitedRulesExist(t *testing.T) {
	known := book(t)
	for _, c := range citations(t) {
		if _, found := known[c.id]; !found {
			t.Errorf("%v: neither docs/PROTOCOL.md nor docs/FAULTS.md has it", c)
		}
	}
}

// TestNumbers shows what is a citation and what is not.
func TestNumbers(t *testing.T) {
	for text, ids := range map[string][]string{
		"by N3 (V4, 11.10), and S5's mark":       {"N3", "V4", "11.10", "S5"},
		"F18: two. X2.":                          {"F18", "X2"},
		"11.12 s, in 11.6 ms, 1.11.10, 11.10.2":  nil,
		"X509, 0xF1, RFC3, UTF-8, utf8.D1, S3/x": nil,
		"docs/PROTOCOL.md#n1-admission, v11.10":  nil,
	} {
		assert.Equal(t, ids, numbers(text), text)
	}
}
