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
	patience = 30 * time.Second       // maximum duration of a takeover
	every    = 5 * time.Millisecond   // interval between the attempts of a client
	each     = 250 * time.Millisecond // timeout of an attempt, for which later ones do not wait
)

// trial ends the primary while a client writes and measures the takeover. It returns when the ended
// primary has been restarted and is up to date.
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

// restart waits for the end of the process, checks its exit status, and starts it again.
func restart(ctx context.Context, p *rig.Process, e ending) error {
	code, err := p.Exit(ctx)
	if err != nil {
		return err
	}
	if code != e.code {
		return fmt.Errorf("%s exited with status %d instead of %d", p.ID, code, e.code)
	}
	return p.Start()
}

// load starts a client that writes one key after another at the primary, and returns while the
// client continues. It returns at a random moment, so that the primary ends anywhere between two
// heartbeats. The client stops when the primary no longer answers, or when stop is called.
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
		return nil, fmt.Errorf("%s is primary but accepts no write", primary.ID)
	}
	return stop, nil
}

// takeover sends the signal to the primary, and returns the time until another replica accepted a
// write.
func takeover(ctx context.Context, role rig.Role, e ending) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no other replica accepts a write within %v", patience))
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	accepted := make(chan time.Time, 1) // the first write accepted; later ones are dropped
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

// write is a client of one replica. It waits until the replica has left the view, because until
// then the old primary may accept a write that the replica forwards. Then it sends one write after
// another, without waiting for answers, until ctx ends.
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

// next waits for the tick and reports whether ctx is still active.
func next(ctx context.Context, tick *time.Ticker) bool {
	select {
	case <-tick.C:
		return true
	case <-ctx.Done():
		return false
	}
}

var errStays = errors.New("the replica has not left the view")

// left returns nil once the replica is in a later view. The server answers as soon as that happens.
func left(ctx context.Context, p *rig.Process, view uint64) error {
	s, err := p.Status(ctx, fmt.Sprintf("after=%d&wait=5s", view))
	if err == nil && s.View <= view {
		return errStays
	}
	return err
}

var keys atomic.Uint64

// newKey returns a key that has not been written.
func newKey() string { return fmt.Sprintf("key-%d", keys.Add(1)) }
