//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	chaosTime    = 12 * time.Second // of faults, while clients write
	chaosClients = 6
)

// chaos inflicts one fault after the other on a cluster. It waits for the clients to make progress in
// between, so that requests meet each fault.
type chaos struct {
	t       *testing.T
	cluster *cluster
	history *history
	rand    *rand.Rand
	faults  map[string]int
}

// Processes are killed and paused while clients write. The answers must be those that a single kv could
// have given that never fails.
func TestNothingIsLostWhenProcessesDie(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	h := newHistory()
	x := &chaos{t, newCluster(t, "-snapshot-every", "300"), h, rand.New(rand.NewPCG(seed, 0)), map[string]int{}}
	_, first := x.cluster.awaitPrimary()

	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for i := range chaosClients {
		c := &client{number: i, cluster: x.cluster, history: h, rand: rand.New(rand.NewPCG(seed, uint64(i+1))), seen: map[string]string{}}
		clients.Go(func() { c.run(ctx) })
	}
	x.run()
	stop()
	clients.Wait()

	_, last := x.cluster.awaitPrimary()
	x.readAll()
	assert.Greater(t, last, first, "no primary was ever replaced: the faults did not hit")
	assert.GreaterOrEqual(t, h.acked.Load(), int64(200), "too little happened")
	require.NoError(t, h.linearizable(20*time.Second))
	t.Logf("%d operations, %d of them acknowledged, views %d to %d, faults %v", len(h.operations), h.acked.Load(), first, last, x.faults)
}

func (x *chaos) run() {
	x.progress(50)
	primary, _ := x.cluster.awaitPrimary()
	x.fault("kill", primary)
	length := chaosTime
	if testing.Short() {
		length /= 4
	}
	for end := time.Now().Add(length); time.Now().Before(end); {
		x.progress(50)
		victim := x.victim()
		switch n := x.rand.IntN(10); {
		case n < 5:
			x.fault("kill", victim)
		case n < 8:
			x.fault("pause", victim)
		case n < 9:
			x.fault("kill", victim, x.cluster.other(victim))
		default:
			x.fault("kill", x.cluster.processes...)
		}
	}
	x.progress(50)
}

// victim returns a process, most often that of the primary.
func (x *chaos) victim() *process {
	primary, _ := x.cluster.awaitPrimary()
	if x.rand.IntN(3) > 0 {
		return primary
	}
	return x.cluster.other(primary)
}

// fault strikes the victims and brings them back: after the others have made progress without them if
// they are a majority, and otherwise at once.
func (x *chaos) fault(kind string, victims ...*process) {
	x.faults[fmt.Sprint(kind, " ", len(victims))]++
	for _, p := range victims {
		if kind == "pause" {
			p.signal(syscall.SIGSTOP)
			defer p.signal(syscall.SIGCONT)
			continue
		}
		p.kill()
		defer p.start()
	}
	if len(victims) == 1 {
		x.progress(20 + x.rand.IntN(200))
	}
}

// progress waits until n more operations have been acknowledged.
func (x *chaos) progress(n int) {
	x.t.Helper()
	target := x.history.acked.Load() + int64(n)
	x.cluster.eventually(func() bool { return x.history.acked.Load() >= target }, "the clients do not get on")
}

// readAll reads every key at every replica, so that the history ends with the final state.
func (x *chaos) readAll() {
	for i, p := range x.cluster.processes {
		c := &client{number: chaosClients + i, cluster: x.cluster, history: x.history}
		for _, part := range byKey(x.history.operations) {
			in := input{verb: get, key: part[0].Input.(input).key}
			call := x.history.now()
			var out output
			x.cluster.eventually(func() bool {
				out, _ = c.send(x.t.Context(), i, in, "")
				return !out.unknown
			}, "%s does not answer", p.id)
			x.history.add(c.number, call, in, out)
		}
	}
}
