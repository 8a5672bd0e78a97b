package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

func TestSnapshotIsOfItsMoment(t *testing.T) {
	c := &counter{}
	assert.Equal(t, "1", string(c.Apply(smr.Op{Number: 3})))
	frozen, err := c.Snapshot()
	require.NoError(t, err)
	c.Apply(smr.Op{Number: 4})

	var written bytes.Buffer
	_, err = frozen.WriteTo(&written)
	require.NoError(t, err)
	restored := &counter{n: 99}
	require.NoError(t, restored.Restore(&written))
	assert.Equal(t, 1, restored.n)
	assert.Error(t, restored.Restore(bytes.NewReader(nil)), "nothing is no snapshot")
}

func Example_main() {
	main()
	// Output:
	// a was told 1, c reads 1
	// errors: <nil> <nil>
}
