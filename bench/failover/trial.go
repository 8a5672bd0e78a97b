package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smr-go/smr/bench/internal/rig"
)

const (
	patience = 30 * time.Second       // how long a takeover may take
	every    = 5 * time.Millisecond   // between two tries of a client
	each     = 250 * time.Millisecond // for a try; the next ones do not wait for it
)

// trial ends the primary while a client writes, measures the takeover, and returns when the dead
// one is back and has all.
func trial(ctx context.Context, g rig.Group, e ending, settle time.Duration) (took time.Duration, err error) {
	role, err := g.Settled(ctx)
	if err != nil {
		return 0, err
	}
	stop, err := load(ctx, role.Primary, settle)
	if err != nil {
		return 0, err
	}
	took, err = takeover(ctx, role, e)
	stop()
	if err != nil {
		return 0, err
	}
	if err := restart(ctx, role.Primary, e); err != nil {
		return 0, err
	}
	_, err = g.Settled(ctx)
	return took, err
}

// restart waits until the process has ended, as it should, and starts it again.
func restart(ctx context.Context, p *rig.Process, e ending) error {
	code, err := p.Exit(ctx)
	if err != nil {
		return err
	}
	if code != e.code {
		return fmt.Errorf("%s ended with %d instead of %d", p.ID, code, e.code)
	}
	return p.Start()
}

// load has a client write at the primary, one key after the other, and returns while it goes on.
// The moment is random, so that it falls anywhere between two heartbeats. The client gives up when
// the primary does not answer any more; stop ends it at the latest.
func load(ctx context.Context, primary *rig.Process, settle time.Duration) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	var written atomic.Int64
	var client sync.WaitGroup
	client.Go(func() {
		for primary.Put(ctx, newKey(), "before") == nil {
			written.Add(1)
		}
	})
	stop = func() { cancel(); client.Wait() }
	select {
	case <-time.After(settle + rand.N(settle)):
	case <-ctx.Done():
	}
	if written.Load() == 0 {
		stop()
		return nil, fmt.Errorf("%s, the primary, accepts no write", primary.ID)
	}
	return stop, nil
}

// takeover sends the signal to the primary, and returns how long after that another replica
// accepted a write.
func takeover(ctx context.Context, role rig.Role, e ending) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no other replica accepts a write within %v", patience))
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	accepted := make(chan time.Time, 1) // the first; others are dropped
	began := time.Now()
	role.Primary.Signal(e.signal)
	for _, p := range role.Backups {
		clients.Go(func() { write(ctx, &clients, p, role.View, accepted) })
	}
	select {
	case at := <-accepted:
		return at.Sub(began), nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// write is a client of one replica. It waits until the replica has left the view, for until then
// the old primary may accept what the replica forwards to it. Then it sends one write after the
// other, without waiting for answers, until ctx ends.
func write(ctx context.Context, clients *sync.WaitGroup, p *rig.Process, view uint64, accepted chan<- time.Time) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for left(ctx, p, view) != nil {
		if !next(ctx, tick) {
			return
		}
	}
	for {
		clients.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, each)
			defer cancel()
			if p.Put(ctx, newKey(), "after") == nil {
				select {
				case accepted <- time.Now():
				default:
				}
			}
		})
		if !next(ctx, tick) {
			return
		}
	}
}

// next waits for the tick and reports whether ctx goes on.
func next(ctx context.Context, tick *time.Ticker) bool {
	select {
	case <-tick.C:
		return true
	case <-ctx.Done():
		return false
	}
}

var errStays = errors.New("the replica has not left the view")

// left returns when the replica is in a later view. The server answers as soon as that is so.
func left(ctx context.Context, p *rig.Process, view uint64) error {
	s, err := p.Status(ctx, fmt.Sprintf("after=%d&wait=5s", view))
	if err == nil && s.View <= view {
		return errStays
	}
	return err
}

var keys atomic.Uint64

// newKey returns a key that was never written.
func newKey() string { return fmt.Sprintf("key-%d", keys.Add(1)) }
