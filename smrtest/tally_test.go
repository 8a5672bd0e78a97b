package smrtest_test

import "testing"

func TestTally(t *testing.T) { testTally(t) }
