package tcp

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/smr-go/smr/internal/queue"
)

const (
	firstPause   = 50 * time.Millisecond // before the second attempt to dial
	longestPause = 2 * time.Second

	messageOverhead = 64 // bytes that a queued message costs in addition to its own
)

// peer is the sending side to one member: a queue that Send fills, and a goroutine, run, that dials the
// member and writes the queue to it.
type peer struct {
	t       *Transport
	to      string
	queue   *queue.Queue[[]byte] // a message counts for cfg.Queue until it is written; run is the reader
	resting atomic.Bool          // between two attempts to dial, when messages are dropped
	skip    chan struct{}        // holds a value when a rest should end early

	absent time.Time // when the member became unreachable; zero while it is reached; owned by run
}

func newPeer(t *Transport, to string) *peer {
	return &peer{t: t, to: to, queue: queue.New[[]byte](), skip: make(chan struct{}, 1)}
}

// send queues a message, or drops it.
func (p *peer) send(msg []byte) {
	if limit := p.t.endpoint.MaxMessage; len(msg) > limit {
		p.t.warnings.Warn("too large", "message is too large and was not sent", "to", p.to, "bytes", len(msg), "limit", limit)
		return
	}
	if p.resting.Load() {
		return // report logs why the member is not reached
	}
	if !p.queue.Put(msg, cost(msg), p.t.cfg.Queue) {
		p.t.warnings.Warn("full "+p.to, "member does not keep up: dropping messages to it", "to", p.to, "limit", p.t.cfg.Queue)
	}
}

// cost returns the number of bytes that a message counts for in the queue.
func cost(msg []byte) int { return len(msg) + messageOverhead }

// run dials the member whenever there is a message to send, and writes while the connection lasts.
func (p *peer) run() {
	pause := firstPause
	for p.await() {
		lasted, err := p.connect()
		p.report(lasted, err)
		if lasted > longestPause {
			pause = firstPause
			continue
		}
		if !p.rest(pause/2 + rand.N(pause/2)) {
			return
		}
		pause = min(2*pause, longestPause)
	}
}

// await waits until a message was queued. It reports false if the transport closes first. If rest has dropped
// that message since, the attempt to dial does no harm.
func (p *peer) await() bool {
	select {
	case <-p.queue.Wake():
	case <-p.t.stopping.Done():
	}
	return p.t.stopping.Err() == nil
}

// rest drops queued and new messages for the time d. It reports false if the transport closes.
func (p *peer) rest(d time.Duration) bool {
	p.resting.Store(true)
	p.queue.Drop()
	open := p.t.pause(d, p.skip)
	p.queue.Drop() // a send that began before the rest may have queued its message during it
	p.resting.Store(false)
	return open
}

// hurry ends a rest early, because the member is known to be up.
func (p *peer) hurry() {
	select {
	case p.skip <- struct{}{}:
	default:
	}
}
