package tcp

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	firstPause   = 50 * time.Millisecond // before the second dial
	longestPause = 2 * time.Second

	messageOverhead = 64      // what a waiting message costs beside its bytes
	batchKept       = 1 << 14 // the longest batch whose memory is kept for the next
)

// peer is the sending side to one member: a queue that Send fills, and a goroutine, run, that
// dials and writes.
type peer struct {
	t     *Transport
	to    string
	wake  chan struct{} // holds one value when the queue was empty and is not
	skip  chan struct{} // holds one value when a pause should end
	bytes atomic.Int64  // of the queue and of what is being written; <= cfg.Queue

	mu      sync.Mutex
	queue   [][]byte
	resting bool // between two dials: what is sent is dropped

	absent time.Time // run's: since when the member cannot be reached; zero: it can
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

// enqueue reports whether the queue had room, and whether it was empty.
func (p *peer) enqueue(msg []byte) (queued, first bool) {
	cost := int64(len(msg) + messageOverhead)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.resting {
		return true, false // run says why the member is not reached
	}
	if p.bytes.Load()+cost > p.t.cfg.Queue {
		return false, false
	}
	p.bytes.Add(cost)
	p.queue = append(p.queue, msg)
	return true, len(p.queue) == 1
}

// take returns the whole queue; spare's memory takes what comes next.
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

// done forgets messages that were written or dropped.
func (p *peer) done(batch [][]byte) {
	for i, msg := range batch {
		p.bytes.Add(-int64(len(msg) + messageOverhead))
		batch[i] = nil
	}
}

// run dials whenever there is something to send, and writes while the connection lasts.
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

// await waits for something to send, and reports false if the transport closes first.
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

// rest drops what waits and comes, for a while. It reports false if the transport closes.
func (p *peer) rest(d time.Duration) bool {
	p.setResting(true)
	p.done(p.take(nil))
	defer p.setResting(false)
	return p.t.pause(d, p.skip)
}

func (p *peer) setResting(resting bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resting = resting
}

// hurry ends a rest: the member is known to be up.
func (p *peer) hurry() { signal(p.skip) }

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
