package book

import (
	"go/ast"
	"go/parser"
	"go/token"
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

// TestBuiltRulesAreAppliedAndShown checks that a function of the product cites every rule that is built, and that a
// transcript, a check of the simulation or a test of the product shows it. Invariants are not applied, and only checks
// show them. A rule that is not built is cited nowhere in the product.
func TestBuiltRulesAreAppliedAndShown(t *testing.T) {
	applied, mentioned := applications(t)
	checked, shown := checks(t), tests(t)
	for _, name := range transcripts(t) {
		for _, id := range opening(t, name) {
			shown[id] = true
		}
	}
	for _, e := range entries(t, "docs/PROTOCOL.md") {
		switch invariant := strings.HasPrefix(e.id, "11."); {
		case !e.built:
			assert.False(t, mentioned[e.id], "%s is marked as not built, and code cites it", e.id)
		case invariant:
			assert.True(t, checked[e.id], "no check of the simulation fails with %s", e.id)
		default:
			assert.True(t, applied[e.id], "%s is not marked as not built, and no function of the product cites it", e.id)
			assert.True(t, checked[e.id] || shown[e.id], "%s is not marked as not built; no transcript begins with it, "+
				"no check of the simulation fails with it, and the comment of no test of the product cites it", e.id)
		}
	}
}

// applications returns the rules that functions of the product cite, in their documentation or within, and those that
// the product cites anywhere. A comment at a package, a type or a field describes, and applies nothing.
func applications(t *testing.T) (applied, mentioned map[string]bool) {
	applied, mentioned = map[string]bool{}, map[string]bool{}
	product := closure(t)
	for _, name := range files(t, ".go") {
		if !inProduct(product, name) {
			continue
		}
		for _, c := range goCitations(t, name) {
			mentioned[c.id] = true
		}
		file := parsed(t, name)
		for _, decl := range file.Decls {
			f, isFunc := decl.(*ast.FuncDecl)
			if !isFunc {
				continue
			}
			from := f.Pos()
			if f.Doc != nil {
				from = f.Doc.Pos()
			}
			for _, group := range file.Comments {
				if from <= group.Pos() && group.End() <= f.End() {
					cite(applied, group.Text())
				}
			}
		}
	}
	return applied, mentioned
}

// checks returns the rules with which checks of the simulation fail: a call has the number, or a text that begins with
// the number and a colon, as its argument.
func checks(t *testing.T) map[string]bool {
	checked := map[string]bool{}
	rule := regexp.MustCompile(`^(` + number.String() + `)(: .*)?$`)
	for _, name := range files(t, ".go") {
		if !strings.HasPrefix(name, "internal/sim/") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		ast.Inspect(parsed(t, name), func(n ast.Node) bool {
			if call, isCall := n.(*ast.CallExpr); isCall && len(call.Args) > 0 {
				if text, isText := call.Args[0].(*ast.BasicLit); isText && text.Kind == token.STRING {
					value, err := strconv.Unquote(text.Value)
					require.NoError(t, err)
					if m := rule.FindStringSubmatch(value); m != nil {
						checked[m[1]] = true
					}
				}
			}
			return true
		})
	}
	return checked
}

// tests returns the rules that the comments of the product's tests cite.
func tests(t *testing.T) map[string]bool {
	shown := map[string]bool{}
	product := closure(t)
	for _, name := range files(t, "_test.go") {
		if !product[filepath.ToSlash(filepath.Dir(name))] {
			continue
		}
		for _, decl := range parsed(t, name).Decls {
			if f, isFunc := decl.(*ast.FuncDecl); isFunc && testName.MatchString(f.Name.Name) {
				cite(shown, f.Doc.Text())
			}
		}
	}
	return shown
}

func cite(ids map[string]bool, text string) {
	for _, id := range numbers(text) {
		ids[id] = true
	}
}

func parsed(t *testing.T, name string) *ast.File {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ParseComments)
	require.NoError(t, err)
	return file
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

// TestTranscriptsCiteRules checks that every transcript begins with the rules that it shows, and that they are built.
func TestTranscriptsCiteRules(t *testing.T) {
	known := book(t)
	for _, name := range transcripts(t) {
		ids := opening(t, name)
		assert.NotEmpty(t, ids, "%s does not begin with the rules that it shows, as in %q", name, "# N3, V4. ")
		for _, id := range ids {
			assert.True(t, known[id].built, "%s shows %s, which is not a built rule", name, id)
		}
	}
}

// transcripts returns the names of the core's transcripts.
func transcripts(t *testing.T) []string {
	names := slices.DeleteFunc(files(t, ".txt"), func(name string) bool {
		return filepath.ToSlash(filepath.Dir(name)) != "internal/vsr/testdata"
	})
	require.NotEmpty(t, names)
	return names
}

var openingLine = regexp.MustCompile(`^# ((?:[A-Z]\d+|11\.\d+)(?:, (?:[A-Z]\d+|11\.\d+))*)\. `)

// opening returns the rules that a transcript begins with.
func opening(t *testing.T, name string) []string {
	if m := openingLine.FindStringSubmatch(read(t, name)); m != nil {
		return strings.Split(m[1], ", ")
	}
	return nil
}
