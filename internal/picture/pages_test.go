package picture_test

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/picture"
	"github.com/smr-go/smr/internal/sim"
)

// last is a state machine that keeps the last body.
type last struct{ body []byte }

func (l *last) Apply(op smr.Op) []byte {
	l.body = bytes.Clone(op.Body)
	return l.body
}

func (l *last) Snapshot() (io.WriterTo, error) { return bytes.NewReader(l.body), nil }

func (l *last) Restore(r io.Reader) (err error) {
	l.body, err = io.ReadAll(r)
	return err
}

func next(r *rand.Rand) sim.Operation {
	return sim.Operation{Name: "put", Body: make([]byte, 1+r.IntN(100))}
}

// Simulated runs can be drawn, and a run always gives the same page. With -picture the pages can be seen.
func TestPagesOfSimulatedRuns(t *testing.T) {
	for seed := range uint64(3) {
		page := func() []byte {
			setup, hazards := sim.Draw(seed + 1)
			recording := sim.NewRecording(setup.Replicas, 20_000)
			report := sim.Run(&sim.Schedule{Setup: *setup}, hazards, &sim.Work{Kit: contract.Kit{New: func() smr.StateMachine { return &last{} }}, Next: next}, recording)
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
