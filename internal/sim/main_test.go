package sim

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestMain collects garbage less often than is usual. The heap of a run is small and soon full, and the collector would
// take a quarter of the time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
