package judge

import (
	"go/build"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The judge knows the core's types and nothing of what runs a core, so that it can judge whatever does.
func TestImports(t *testing.T) {
	p, err := build.ImportDir(".", 0)
	require.NoError(t, err)
	for _, path := range p.Imports {
		if rest, ok := strings.CutPrefix(path, "github.com/smr-go/smr"); ok {
			assert.Contains(t, []string{"/internal/vsr", "/internal/excerpt", "/internal/words"}, rest)
		}
	}
}
