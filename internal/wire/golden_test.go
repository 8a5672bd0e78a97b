package wire

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

var update = flag.Bool("update", false, "rewrite the golden file")

const golden = "testdata/messages.golden"

// TestBytesAreTheGoldenOnes fails when the format changes. Then the version must change too, and
// the diff of the golden file must be reviewed.
func TestBytesAreTheGoldenOnes(t *testing.T) {
	var b strings.Builder
	for _, m := range samples() {
		writeHex(&b, vsr.KindOf(m).String(), encode(testHeader, m))
	}
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), b.String(), "the format has changed; run with -update if that was intended")
}

// writeHex writes the parts of a message: version and kind, tag, group id, epoch, incarnation,
// start number, payload in lines of 32 bytes, checksum.
func writeHex(b *strings.Builder, name string, msg []byte) {
	fmt.Fprintf(b, "%s: %d bytes\n", name, len(msg))
	payload := len(msg) - headerSize - checksumSize
	parts := []int{2, 8, 16, 8, 16, 8}
	for ; payload > 0; payload -= 32 {
		parts = append(parts, min(payload, 32))
	}
	for _, n := range append(parts, checksumSize) {
		fmt.Fprintf(b, "\t%s\n", hex.EncodeToString(msg[:n]))
		msg = msg[n:]
	}
}
