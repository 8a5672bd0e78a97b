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

	aheadBytes      = 1 << 20 // short messages that may wait
	messageOverhead = 64      // bytes that a queued message costs in addition to its own
)

// peer is the sending side to one member: two queues that Send fills, and a goroutine, run, that dials the
// member and writes the queues to it.
type peer struct {
	t       *Transport
	to      string
	queue   *queue.Queue[[]byte] // a message counts for cfg.Queue until it is written; run is the reader
	ahead   *queue.Queue[[]byte] // of short messages, which are written before those in queue; run is the reader
	resting atomic.Bool          // between two attempts to dial, when messages are dropped
	skip    chan struct{}        // holds a value when a rest should end early
	up      atomic.Bool          // the member has connected since the last attempt to dial it

	absent    time.Time // when the first of the last attempts failed; zero while the member is reached; owned by run
	tried     time.Time // when the last attempt ended; owned by run
	unreached trouble   // dialling fails
	full      trouble   // messages are dropped because too many wait
}

func newPeer(t *Transport, to string) *peer {
	ahead := queue.New[[]byte]()
	ahead.Supersedes = t.endpoint.Supersedes
	return &peer{t: t, to: to, queue: queue.New[[]byte](), ahead: ahead, skip: make(chan struct{}, 1),
		unreached: trouble{kind: "dialled " + to}, full: trouble{kind: "full " + to}}
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
	q, limit := p.queue, p.t.cfg.Queue
	if ahead := p.t.endpoint.Ahead; ahead != nil && ahead(msg) {
		q, limit = p.ahead, min(limit, aheadBytes)
	}
	if !q.Put(msg, cost(msg), limit) {
		p.full.begin(&p.t.warnings, "", "member does not keep up: dropping messages to it", "to", p.to, "limit", p.t.cfg.Queue)
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
	case <-p.ahead.Wake():
	case <-p.t.stopping.Done():
	}
	return p.t.stopping.Err() == nil
}

// rest drops queued and new messages for the time d. It reports false if the transport closes.
func (p *peer) rest(d time.Duration) bool {
	p.resting.Store(true)
	p.drop()
	open := p.t.pause(d, p.skip)
	p.drop() // a send that began before the rest may have queued its message during it
	p.resting.Store(false)
	return open
}

// drop drops all queued messages.
func (p *peer) drop() {
	p.ahead.Drop()
	p.queue.Drop()
}

// hurry ends a rest early, because the member is known to be up.
func (p *peer) hurry() {
	p.up.Store(true)
	select {
	case p.skip <- struct{}{}:
	default:
	}
}
