//go:build linux

package main

import (
	"slices"
	"syscall"
	"testing"
	"time"
)

// The time from SIGKILL of the primary to the first write that another replica accepts, by default:
//
//	go test ./examples/kv -run '^$' -bench Failover -benchtime 20x
func BenchmarkFailoverAfterSIGKILL(b *testing.B) { failover(b, syscall.SIGKILL) }

// The same from SIGTERM, at which the primary hands over its role.
func BenchmarkFailoverAfterSIGTERM(b *testing.B) { failover(b, syscall.SIGTERM) }

func failover(b *testing.B, s syscall.Signal) {
	c := newCluster(b, "-timeout", "5s")
	var took []time.Duration
	for b.Loop() {
		c.awaitAll()
		primary, _ := c.awaitPrimary()
		other := c.other(primary)
		began := time.Now()
		primary.signal(s)
		c.must(204, other, "PUT", "/kv/k", "v")
		took = append(took, time.Since(began))
		primary.exit()
		primary.start()
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds()*1e3, "median-ms")
	b.ReportMetric(took[len(took)-1].Seconds()*1e3, "max-ms")
}

// awaitAll waits until every process serves local and linearizable reads.
func (c *cluster) awaitAll() {
	c.t.Helper()
	for _, p := range c.processes {
		c.must(404, p, "GET", "/kv/none", "")
	}
}
