package vsr

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// allowed holds the packages that the core may import, some of them only for the names in
// allowedOf.
var allowed = strings.Fields("cmp encoding/binary encoding/hex errors fmt io math math/rand/v2 slices sort strings time " +
	"github.com/smr-go/smr/internal/flow")

// allowedOf holds the names that the core may use from packages that also reach the clock, global
// randomness or the process's output.
var allowedOf = map[string][]string{
	"time": strings.Fields("Time Duration Nanosecond Microsecond Millisecond Second Minute Hour Unix RFC3339"),
	"rand": strings.Fields("Rand"),
	"fmt":  strings.Fields("Sprintf Errorf Fprintf Appendf Sprint"),
	"io":   strings.Fields("Writer Reader ByteReader ReadFull EOF ErrUnexpectedEOF"),
}

// TestCoreDoesNoIO checks that the core imports and names nothing that reaches a file, a socket, a
// lock, the clock or global randomness, and starts no goroutine.
func TestCoreDoesNoIO(t *testing.T) {
	paths, err := filepath.Glob("../*/*.go")
	require.NoError(t, err)
	paths = slices.DeleteFunc(paths, func(path string) bool {
		room := filepath.Base(filepath.Dir(path))
		return room != "vsr" && room != "flow"
	})
	checked := 0
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		require.NoError(t, err)
		checkPure(t, path, file)
		checked++
	}
	require.NotZero(t, checked)
}

func checkPure(t *testing.T, path string, file *ast.File) {
	for _, i := range file.Imports {
		name, err := strconv.Unquote(i.Path.Value)
		require.NoError(t, err)
		assert.Contains(t, allowed, name, "%s imports it", path)
		assert.Nil(t, i.Name, "%s renames %s, which hides its names from this test", path, name)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.GoStmt, *ast.SelectStmt, *ast.ChanType:
			assert.Fail(t, "the core has no concurrency", "%s: %T", path, x)
		case *ast.SelectorExpr:
			if of, ok := x.X.(*ast.Ident); ok && allowedOf[of.Name] != nil {
				assert.True(t, slices.Contains(allowedOf[of.Name], x.Sel.Name), "%s uses %s.%s", path, of.Name, x.Sel.Name)
			}
		}
		return true
	})
}
