package book

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const architecture = "docs/ARCHITECTURE.md"

// TestPlanOfPackages checks that the plan lists every package of the module, with exactly the
// packages of the module that it imports, and that all of those are further down.
func TestPlanOfPackages(t *testing.T) {
	planned, above := map[string][]string{}, map[string]bool{}
	for _, cells := range tableOf(t, architecture, "## The plan", "package") {
		name, imports := unquoted(cells[0])[0], unquoted(cells[2])
		planned[name], above[name] = imports, true
		for _, imported := range imports {
			assert.False(t, above[imported], "%s: %s imports %s, which is above it", architecture, name, imported)
		}
	}
	for dir, imports := range packages(t) {
		listed, found := planned[dir]
		assert.True(t, found, "%s does not list package %s", architecture, dir)
		if found {
			assert.ElementsMatch(t, imports, listed, "what %s imports of the module, and what %s lists", dir, architecture)
		}
		delete(planned, dir)
	}
	assert.Empty(t, planned, "%s lists packages that are not there", architecture)
}

// TestSimulationKnowsTheContractOnly checks that the simulation and the contract use nothing of package smr but what a
// state machine is.
func TestSimulationKnowsTheContractOnly(t *testing.T) {
	used := regexp.MustCompile(`\bsmr\.(\w+)`)
	for _, name := range files(t, ".go") {
		if !strings.HasSuffix(name, "_test.go") && regexp.MustCompile(`^internal/(sim|contract)/`).MatchString(name) {
			for _, m := range used.FindAllStringSubmatch(read(t, name), -1) {
				assert.Contains(t, []string{"Op", "StateMachine"}, m[1], name)
			}
		}
	}
}

// unquoted returns what a text has between backticks.
func unquoted(text string) (parts []string) {
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		parts = append(parts, m[1])
	}
	return parts
}

// packages returns the packages of the module by directory, "smr" for its root, and which of them
// each imports; without the tests, the examples, and the tools below .ci.
func packages(t *testing.T) map[string][]string {
	all := map[string][]string{}
	for _, name := range files(t, ".go") {
		dir := filepath.ToSlash(filepath.Dir(name))
		if strings.HasSuffix(name, "_test.go") || regexp.MustCompile(`^(\.ci|bench|examples)/|testdata`).MatchString(name) {
			continue
		}
		if dir == "." {
			dir = "smr"
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ImportsOnly)
		require.NoError(t, err)
		if all[dir] == nil {
			all[dir] = []string{}
		}
		for _, spec := range file.Imports {
			imported, inModule := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module)
			if imported = strings.TrimPrefix(imported, "/"); imported == "" {
				imported = "smr"
			}
			if inModule && !slices.Contains(all[dir], imported) {
				all[dir] = append(all[dir], imported)
			}
		}
	}
	return all
}

// TestArchitectureNamesWhatIsThere checks that every identifier that the page names is declared. If a
// dot joins two, the second must be a method or field of the first.
func TestArchitectureNamesWhatIsThere(t *testing.T) {
	declared := declarations(t, files(t, ".go")...)
	identifier := regexp.MustCompile(`^(\w+\.)?\w+$`)
	for _, s := range sections(read(t, architecture)) {
		if s.heading == "## The plan" {
			continue // TestPlanOfPackages
		}
		for _, name := range unquoted(s.body) {
			if identifier.MatchString(name) {
				assert.True(t, declared[name], "%s, %s: nothing is declared as `%s`", architecture, s.heading, name)
			}
		}
	}
}

// TestArchitectureNamesThePlace checks that an identifier with a link to a Go file behind it, as in
// `name` ([file.go](../file.go)) or `name` of [file.go](../file.go), is declared in that file.
func TestArchitectureNamesThePlace(t *testing.T) {
	placed := regexp.MustCompile("`(?:\\w+\\.)?(\\w+)`(?: \\(|,? (?:of|in|to) )\\[[^]]*\\]\\(\\.\\./([^)]+\\.go)\\)")
	text := strings.Join(strings.Fields(outsideCode(read(t, architecture))), " ")
	found := placed.FindAllStringSubmatch(text, -1)
	require.NotEmpty(t, found)
	for _, m := range found {
		assert.True(t, declarations(t, m[2])[m[1]], "%s: `%s` is not declared in %s", architecture, m[1], m[2])
	}
}

// declarations returns what Go files declare: functions and types, and methods and fields, alone and
// behind their type and a dot.
func declarations(t *testing.T, names ...string) map[string]bool {
	declared := map[string]bool{}
	for _, name := range names {
		for _, decl := range parsed(t, name).Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				declared[d.Name.Name] = true
				if d.Recv != nil {
					declared[receiver(d.Recv.List[0].Type)+"."+d.Name.Name] = true
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					declareSpec(declared, spec)
				}
			}
		}
	}
	return declared
}

func receiver(x ast.Expr) string {
	switch x := x.(type) {
	case *ast.StarExpr:
		return receiver(x.X)
	case *ast.IndexExpr:
		return receiver(x.X)
	case *ast.Ident:
		return x.Name
	}
	return ""
}

func declareSpec(declared map[string]bool, spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.ValueSpec:
		for _, name := range s.Names {
			declared[name.Name] = true
		}
	case *ast.TypeSpec:
		declared[s.Name.Name] = true
		var fields *ast.FieldList
		switch x := s.Type.(type) {
		case *ast.StructType:
			fields = x.Fields
		case *ast.InterfaceType:
			fields = x.Methods
		default:
			return
		}
		for _, f := range fields.List {
			for _, name := range f.Names {
				declared[s.Name.Name+"."+name.Name] = true
			}
		}
	}
}
