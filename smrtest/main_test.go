package smrtest

import (
	"os"
	"runtime/debug"
	"testing"
)

// TestMain collects garbage less often than is usual, as that of internal/sim does.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
