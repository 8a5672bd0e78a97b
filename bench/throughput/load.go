package main

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/bench/internal/rig"
)

const (
	bodySize = 128
	patience = 30 * time.Second // time beyond a run's length after which the run counts as hanging
)

// load describes the load on a group.
type load struct {
	setting      setting
	proposers    int
	everywhere   bool // whether proposals go to all replicas and not only to the primary
	warmup, long time.Duration
}

// result is the outcome of one run.
type result struct {
	rate               float64 // operations per second
	p50, p99           time.Duration
	processor          time.Duration // of the whole process per operation, as are the next two
	allocations, bytes float64
	first, last        uint64 // views at the beginning and the end of the run
}

// measure runs the load on a new group with temporary directories below dir.
func (l load) measure(ctx context.Context, dir string) (r result, err error) {
	err = rig.InTemp(dir, func(dir string) error {
		ctx, cancel := context.WithTimeoutCause(ctx, l.warmup+l.long+patience, errors.New("the run did not end in time"))
		defer cancel()
		g, err := l.setting.start(ctx, dir)
		if err != nil {
			return err
		}
		r, err = l.run(ctx, g)
		return errors.Join(err, g.close())
	})
	return r, err
}

// run makes all proposers propose continuously, and counts the proposals after the warm-up.
func (l load) run(ctx context.Context, g group) (r result, err error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var counting, over atomic.Bool
	var running sync.WaitGroup
	taken := make([]rig.Histogram, l.proposers)
	for i := range taken {
		running.Go(func() {
			if err := propose(ctx, l.at(g, i), &taken[i], &counting, &over); err != nil {
				fail(err)
			}
		})
	}
	wait(ctx, l.warmup)
	r.first = g.primary().Status().View
	before := begin(&counting)
	wait(ctx, l.long)
	after := end(&counting)
	over.Store(true)
	running.Wait()
	r.last = g.primary().Status().View
	r.sum(taken, before, after)
	return r, context.Cause(ctx)
}

// at returns the replica to which a proposer sends its proposals.
func (l load) at(g group, proposer int) *smr.Replica {
	if l.everywhere {
		return g[proposer%len(g)]
	}
	return g.primary()
}

func propose(ctx context.Context, r *smr.Replica, taken *rig.Histogram, counting, over *atomic.Bool) error {
	body := make([]byte, bodySize)
	for !over.Load() {
		began := time.Now()
		if _, err := r.Propose(ctx, body); err != nil {
			return err
		}
		if counting.Load() {
			taken.Add(time.Since(began))
		}
	}
	return nil
}

// wait waits for d or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// moment is the beginning or the end of a count.
type moment struct {
	at     time.Time
	used   time.Duration // processor time
	memory runtime.MemStats
}

func begin(counting *atomic.Bool) (m moment) {
	runtime.ReadMemStats(&m.memory)
	m.used, m.at = rig.ProcessorTime(), time.Now()
	counting.Store(true)
	return m
}

func end(counting *atomic.Bool) (m moment) {
	counting.Store(false)
	m.used, m.at = rig.ProcessorTime(), time.Now()
	runtime.ReadMemStats(&m.memory)
	return m
}

// sum combines the counts of all proposers between two moments.
func (r *result) sum(taken []rig.Histogram, from, to moment) {
	var all rig.Histogram
	for i := range taken {
		all.Merge(&taken[i])
	}
	n := float64(all.Total())
	r.rate = n / to.at.Sub(from.at).Seconds()
	r.p50, r.p99 = all.Quantile(0.5), all.Quantile(0.99)
	r.processor = time.Duration(float64(to.used-from.used) / n)
	r.allocations = float64(to.memory.Mallocs-from.memory.Mallocs) / n
	r.bytes = float64(to.memory.TotalAlloc-from.memory.TotalAlloc) / n
}
