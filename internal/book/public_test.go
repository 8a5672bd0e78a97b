package book

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestPublicDocumentationCitesNoNumbers checks that README.md, and the documentation of all that smr,
// smrtest and the packages below it export, describe behaviour instead of citing rules by number. A
// link to a rule's heading is no citation.
func TestPublicDocumentationCitesNoNumbers(t *testing.T) {
	for _, dir := range publicPackages(t) {
		for _, c := range publicComments(t, dir) {
			assert.Empty(t, numbers(withoutLinks(c.text)), "%s: say the thing, and link to docs/PROTOCOL.md", c.where)
		}
	}
	assert.Empty(t, numbers(withoutLinks(read(t, "README.md"))), "README.md: say the thing, and link to docs/PROTOCOL.md")
}

// publicPackages returns the directories of the packages that a user can import.
func publicPackages(t *testing.T) (dirs []string) {
	for _, name := range files(t, ".go") {
		dir := filepath.ToSlash(filepath.Dir(name))
		parts := strings.Split(dir, "/")
		top := slices.Contains([]string{".", "probes", "smrtest"}, parts[0])
		if top && !slices.Contains(parts, "internal") && !slices.Contains(parts, "testdata") && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	require.Contains(t, dirs, ".")
	require.Contains(t, dirs, "smrtest")
	return dirs
}

type comment struct{ where, text string }

// publicComments returns the documentation of a package, of what it exports, and of exported fields
// and methods.
func publicComments(t *testing.T, dir string) (all []comment) {
	set := token.NewFileSet()
	var parsed []*ast.File
	names, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	require.NoError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		require.NoError(t, err)
		parsed = append(parsed, file)
	}
	p, err := doc.NewFromFiles(set, parsed, module+"/"+dir)
	require.NoError(t, err)
	add := func(where, text string) { all = append(all, comment{dir + ": " + where, text}) }
	add("package comment", p.Doc)
	values := func(list []*doc.Value) {
		for _, v := range list {
			add(strings.Join(v.Names, ", "), v.Doc+inDeclaration(v.Decl))
		}
	}
	functions := func(prefix string, list []*doc.Func) {
		for _, f := range list {
			add(prefix+f.Name, f.Doc)
		}
	}
	values(p.Consts)
	values(p.Vars)
	functions("", p.Funcs)
	for _, x := range p.Types {
		add(x.Name, x.Doc+inDeclaration(x.Decl))
		values(x.Consts)
		values(x.Vars)
		functions("", x.Funcs)
		functions(x.Name+".", x.Methods)
	}
	return all
}

// inDeclaration returns the comments within a declaration, of which go/doc has kept what is exported.
func inDeclaration(decl ast.Node) string {
	var b strings.Builder
	ast.Inspect(decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			b.WriteString("\n" + n.Doc.Text() + n.Comment.Text())
		case *ast.ValueSpec:
			b.WriteString("\n" + n.Doc.Text() + n.Comment.Text())
		case *ast.TypeSpec:
			b.WriteString("\n" + n.Doc.Text() + n.Comment.Text())
		}
		return true
	})
	return b.String()
}
