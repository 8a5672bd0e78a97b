package sim

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smr-go/smr/internal/sim/fault"
)

// A group survives every script.
func FuzzScript(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x28\x20\x00\x00\x00\x00"))
	f.Add([]byte("\x06\x01\x28\x28\x00\x00\x00\x00\x01\x00\x0a\x14\x02\x03\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := Calm(1)
		faults := fault.Script(b, ^fault.Class(0), p.Replicas, p.Trouble)
		for i := range faults {
			read, err := fault.Parse(faults[i].String())
			assert.NoError(t, err)
			assert.Equal(t, faults[i].String(), read.String())
		}
		assert.Nil(t, Run(&Schedule{Setup: *p, Faults: faults}, nil, listWork(10, 0.3, 0), nil).Violation)
	})
}
