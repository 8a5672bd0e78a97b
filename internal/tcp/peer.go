package tcp

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	firstPause   = 50 * time.Millisecond // before the second attempt to dial
	longestPause = 2 * time.Second

	messageOverhead = 64      // bytes that a queued message costs in addition to its own
	batchKept       = 1 << 14 // messages: the memory of a longer batch is not reused
)

// peer is the sending side to one member: a queue that Send fills, and a goroutine, run, that dials the
// member and writes the queue to it.
type peer struct {
	t     *Transport
	to    string
	wake  chan struct{} // holds a value after the first message was added to an empty queue
	skip  chan struct{} // holds a value when a pause should end early
	bytes atomic.Int64  // of queued messages and of those being written; <= cfg.Queue

	mu      sync.Mutex
	queue   [][]byte
	resting bool // between two attempts to dial, when messages are dropped

	absent time.Time // when the member became unreachable; zero while it is reached; owned by run
}

func newPeer(t *Transport, to string) *peer {
	return &peer{t: t, to: to, wake: make(chan struct{}, 1), skip: make(chan struct{}, 1)}
}

// send queues a message, or drops it.
func (p *peer) send(msg []byte) {
	if limit := p.t.endpoint.MaxMessage; len(msg) > limit {
		p.t.warnings.Warn("too large", "message is too large and was not sent", "to", p.to, "bytes", len(msg), "limit", limit)
		return
	}
	queued, first := p.enqueue(msg)
	if !queued {
		p.t.warnings.Warn("full "+p.to, "member does not keep up: dropping messages to it", "to", p.to, "limit", p.t.cfg.Queue)
	}
	if first {
		signal(p.wake)
	}
}

// enqueue adds a message if the queue has room. It reports whether it had, and whether the message is the
// first in the queue. Between two attempts to dial it drops the message and reports that there was room.
func (p *peer) enqueue(msg []byte) (queued, first bool) {
	cost := int64(len(msg) + messageOverhead)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.resting {
		return true, false // report logs why the member is not reached
	}
	if p.bytes.Load()+cost > p.t.cfg.Queue {
		return false, false
	}
	p.bytes.Add(cost)
	p.queue = append(p.queue, msg)
	return true, len(p.queue) == 1
}

// take removes and returns all queued messages. The queue reuses the memory of spare.
func (p *peer) take(spare [][]byte) [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cap(spare) > batchKept {
		spare = nil
	}
	batch := p.queue
	p.queue = spare[:0]
	return batch
}

// done releases the place of messages that were written or dropped.
func (p *peer) done(batch [][]byte) {
	for i, msg := range batch {
		p.bytes.Add(-int64(len(msg) + messageOverhead))
		batch[i] = nil
	}
}

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

// await waits until the queue has a message. It reports false if the transport closes first.
func (p *peer) await() bool {
	for p.t.stopping.Err() == nil {
		p.mu.Lock()
		some := len(p.queue) > 0
		p.mu.Unlock()
		if some {
			return true
		}
		select {
		case <-p.wake:
		case <-p.t.stopping.Done():
		}
	}
	return false
}

// rest drops queued and new messages for the time d. It reports false if the transport closes.
func (p *peer) rest(d time.Duration) bool {
	p.setResting(true)
	p.done(p.take(nil))
	defer p.setResting(false)
	return p.t.pause(d, p.skip)
}

// setResting sets whether messages are dropped.
func (p *peer) setResting(resting bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resting = resting
}

// hurry ends a rest early, because the member is known to be up.
func (p *peer) hurry() { signal(p.skip) }

// signal puts a value into a channel that holds one, unless it has one already.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
