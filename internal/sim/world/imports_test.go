package world

import (
	"go/build"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The world knows the faults that it can have, and nothing of replicas.
func TestImports(t *testing.T) {
	p, err := build.ImportDir(".", 0)
	require.NoError(t, err)
	for _, path := range p.Imports {
		if strings.HasPrefix(path, "github.com/smr-go/smr") {
			assert.Contains(t, []string{"github.com/smr-go/smr/internal/reading",
				"github.com/smr-go/smr/internal/sim/fault"}, path)
		}
	}
}
