package smrtest_test

import "testing"

// What the examples show runs.
func TestExamples(t *testing.T) {
	t.Run("failover", testFailover)
	t.Run("partition", testPartition)
	t.Run("unlucky crash", testUnluckyCrash)
	t.Run("state machine", testTally)
	t.Run("exploration", testKV)
}
