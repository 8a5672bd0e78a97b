//go:build race

package sim

import "testing"

// singleThreaded skips a test of many runs, one after the other: it shows the race detector nothing that the tests
// with runs side by side do not show, and takes ten times as long with it.
func singleThreaded(t *testing.T) {
	t.Helper()
	t.Skip("of one thread: nothing for the race detector")
}
