package book

import (
	"fmt"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/smr-go/smr"

// citation is the number of a rule or fault in a comment, a string or a document.
type citation struct {
	id    string
	file  string // from the module's root, with slashes
	line  int
	where string // "comment", "string" or "text"
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
				all = append(all, citation{id, name, line, "text"})
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
		where := map[token.Token]string{token.COMMENT: "comment", token.STRING: "string"}[tok]
		if tok == token.EOF {
			return all
		}
		for i, line := range strings.Split(literal, "\n") {
			for _, id := range numbers(line) {
				if where != "" {
					all = append(all, citation{id, name, set.Position(pos).Line + i, where})
				}
			}
		}
	}
}

// TestCitedRulesExist wants every rule and fault that is cited to be in the book.
func TestCitedRulesExist(t *testing.T) {
	known := book(t)
	for _, c := range citations(t) {
		if _, found := known[c.id]; !found {
			t.Errorf("%v: neither docs/PROTOCOL.md nor docs/FAULTS.md has it", c)
		}
	}
}

// TestBuiltRulesAreAppliedAndShown wants every rule that is built to be cited in the code that
// applies it, and in a transcript, an exhaustive scope or the simulation. A rule that is not built
// is cited by no code.
func TestBuiltRulesAreAppliedAndShown(t *testing.T) {
	product := closure(t)
	applied, shown := map[string]bool{}, map[string]bool{}
	for _, c := range citations(t) {
		applied[c.id] = applied[c.id] || inProduct(product, c.file)
		shown[c.id] = shown[c.id] || isEvidence(product, c.file)
	}
	for _, e := range entries(t, "docs/PROTOCOL.md") {
		invariant := strings.HasPrefix(e.id, "11.")
		if e.built {
			assert.True(t, applied[e.id] || invariant, "%s is not marked as not built, and no code of the product cites it where it is applied", e.id)
			assert.True(t, shown[e.id], "%s is not marked as not built, and no transcript, exhaustive scope or simulation check cites it", e.id)
		} else {
			assert.False(t, applied[e.id], "%s is marked as not built, and code cites it", e.id)
		}
	}
}

// closure returns the directories of the packages that package smr is made of: its own, and those
// of the module that it imports.
func closure(t *testing.T) map[string]bool {
	product := map[string]bool{}
	next := []string{"."}
	for len(next) > 0 {
		dir := next[0]
		next = next[1:]
		if product[dir] {
			continue
		}
		product[dir] = true
		names, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		require.NoError(t, err)
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
			require.NoError(t, err)
			for _, spec := range file.Imports {
				path, err := strconv.Unquote(spec.Path.Value)
				require.NoError(t, err)
				if below, found := strings.CutPrefix(path, module+"/"); found {
					next = append(next, below)
				}
			}
		}
	}
	require.Contains(t, slices.Collect(maps.Keys(product)), "internal/vsr")
	return product
}

func inProduct(product map[string]bool, file string) bool {
	return product[filepath.ToSlash(filepath.Dir(file))] && strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go")
}

// isEvidence reports whether a file is of the core's tests and transcripts, or of the simulation:
// a package below internal that package smr does not import.
func isEvidence(product map[string]bool, file string) bool {
	dir, _, _ := strings.Cut(filepath.ToSlash(filepath.Dir(file))+"/", "testdata/")
	dir = strings.TrimSuffix(dir, "/")
	switch {
	case dir == "internal/vsr":
		return !inProduct(product, file)
	case strings.HasPrefix(dir, "internal/"):
		return !product[dir]
	}
	return false
}

// TestTranscriptsCiteRules wants every transcript to begin with the rules that it shows.
func TestTranscriptsCiteRules(t *testing.T) {
	known := book(t)
	opening := regexp.MustCompile(`^# ((?:[A-Z]\d+|11\.\d+)(?:, (?:[A-Z]\d+|11\.\d+))*)\. `)
	for _, name := range files(t, ".txt") {
		if filepath.ToSlash(filepath.Dir(name)) != "internal/vsr/testdata" {
			continue
		}
		m := opening.FindStringSubmatch(read(t, name))
		if !assert.NotNil(t, m, "%s does not begin with the rules that it shows, as in %q", name, "# N3, V4. ") {
			continue
		}
		for id := range strings.SplitSeq(m[1], ", ") {
			assert.True(t, known[id].built, "%s shows %s, which is not a built rule", name, id)
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
