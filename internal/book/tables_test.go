package book

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

// table returns the rows of a table of docs/PROTOCOL.md.
func table(t *testing.T, headingText, title string) [][]string {
	t.Helper()
	return tableOf(t, "docs/PROTOCOL.md", "## "+headingText, title)
}

// tableOf returns the cells of the rows of the table below a heading of a document whose first
// column has that title.
func tableOf(t *testing.T, document, below, title string) (rows [][]string) {
	t.Helper()
	for _, s := range sections(read(t, document)) {
		if s.heading != below {
			continue
		}
		inside := false
		for line := range strings.Lines(s.body) {
			cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
			for i := range cells {
				cells[i] = strings.TrimSpace(cells[i])
			}
			switch {
			case !strings.HasPrefix(line, "|"):
				inside = false
			case cells[0] == title:
				inside = true
			case inside && !strings.HasPrefix(cells[0], "--"):
				rows = append(rows, cells)
			}
		}
	}
	require.NotEmpty(t, rows, "%s has no table %q in section %q", document, title, below)
	return rows
}

// TestTableOfMessages checks that the table lists the kinds of messages as the core numbers them, with
// rules that exist.
func TestTableOfMessages(t *testing.T) {
	known := book(t)
	rows := table(t, "12 Messages", "")
	require.Len(t, rows, int(vsr.LastKind))
	for i, cells := range rows {
		kind := vsr.MessageKind(i + 1)
		assert.Equal(t, strconv.Itoa(int(kind)), cells[0])
		assert.Equal(t, "`"+kind.String()+"`", cells[1])
		for id := range strings.SplitSeq(cells[4], ", ") {
			assert.True(t, known[id].built, "%v: %s is not a built rule", kind, id)
		}
	}
}

// TestTableOfWhatMustBeDurable checks that the table lists every kind of message once, and that by the
// table the kinds wait for the same as in the core's send.
func TestTableOfWhatMustBeDurable(t *testing.T) {
	listed, waits := map[string]bool{}, map[string]string{}
	for _, cells := range table(t, "2 State, and what must be durable", "before this leaves") {
		for _, m := range quoted.FindAllStringSubmatch(cells[0], -1) {
			assert.False(t, listed[m[1]], "%s is listed twice", m[1])
			listed[m[1]] = true
			switch {
			case strings.Contains(cells[1], ", and log "):
				waits[m[1]] = "logSeq"
			case strings.Contains(cells[1], "except for the view"):
				waits[m[1]] = "identitySeq"
			}
		}
	}
	for kind := vsr.MessageKind(1); kind <= vsr.LastKind; kind++ {
		assert.True(t, listed[kind.String()], "%v is missing from the table of what must be durable", kind)
	}
	assert.Len(t, listed, int(vsr.LastKind))
	assert.Equal(t, sendWaitsFor(t), waits, "the kinds that wait for another save than the head's: in the core's method send, and in the table")
}

// sendWaitsFor returns the kinds of messages that the core's method send has in the cases of its type switch, each with
// the save that it waits for.
func sendWaitsFor(t *testing.T) map[string]string {
	kinds := map[string]string{}
	names, err := filepath.Glob(filepath.Join(root, "internal/vsr/*.go"))
	require.NoError(t, err)
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			f, isFunc := decl.(*ast.FuncDecl)
			if !isFunc || f.Recv == nil || f.Name.Name != "send" {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if c, isCase := n.(*ast.CaseClause); isCase {
					for _, x := range c.List {
						if star, isStar := x.(*ast.StarExpr); isStar {
							kinds[star.X.(*ast.Ident).Name] = lastSelected(c.Body)
						}
					}
				}
				return true
			})
		}
	}
	require.NotEmpty(t, kinds, "internal/vsr has no method send with a type switch any more: this test must follow it")
	return kinds
}

// lastSelected returns the last field that statements name.
func lastSelected(body []ast.Stmt) (name string) {
	for _, statement := range body {
		ast.Inspect(statement, func(n ast.Node) bool {
			if x, ok := n.(*ast.SelectorExpr); ok && strings.HasSuffix(x.Sel.Name, "Seq") {
				name = x.Sel.Name
			}
			return true
		})
	}
	return name
}

// TestTableOfStages checks that CONTRIBUTING.md lists the stages of .ci/run in their order.
func TestTableOfStages(t *testing.T) {
	m := regexp.MustCompile(`(?m)^stages=\((.+)\)$`).FindStringSubmatch(read(t, ".ci/run"))
	require.NotNil(t, m)
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(read(t, "CONTRIBUTING.md"), -1) {
		listed = append(listed, m[1])
	}
	assert.Equal(t, strings.Fields(m[1]), listed)
}
