package smrtest_test

import "testing"

// What the example shows runs.
func TestKV(t *testing.T) { testKV(t) }
