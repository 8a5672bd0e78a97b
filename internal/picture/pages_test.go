package picture_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/picture"
	"github.com/smr-go/smr/internal/sim"
)

// Simulated runs can be drawn, and a run always gives the same page. With -picture the pages can be seen.
func TestPagesOfSimulatedRuns(t *testing.T) {
	for seed := range uint64(3) {
		page := func() []byte {
			setup, hazards := sim.Draw(seed + 1)
			recording := sim.NewRecording(setup.Replicas, 20_000)
			report := sim.Play(setup, hazards, nil, sim.TestWork(100, 0.3, 0), recording)
			var b bytes.Buffer
			require.NoError(t, picture.Write(&b, recording.Picture(report)))
			return b.Bytes()
		}
		one := page()
		assert.True(t, bytes.Equal(one, page()))
		if dir := flag.Lookup("picture").Value.String(); dir != "" {
			require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("seed %d.html", seed+1)), one, 0o644))
		}
	}
}
