//go:build !race

package sim

import "testing"

// singleThreaded skips nothing without the race detector.
func singleThreaded(*testing.T) {}
