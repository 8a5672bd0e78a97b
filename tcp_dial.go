package smr

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

const (
	firstPause   = 50 * time.Millisecond // before the second dial
	longestPause = 2 * time.Second
	dialTimeout  = 2 * time.Second  // so that a healed partition is noticed soon
	absentLong   = 10 * time.Second // an operator should hear of a member that was not reached so long
)

// tcpPeer is the sending side to one member: a queue that Send fills, and a goroutine, run, that
// dials and writes.
type tcpPeer struct {
	t     *TCP
	to    ID
	wake  chan struct{} // holds one value when the queue was empty and is not
	skip  chan struct{} // holds one value when a pause should end
	bytes atomic.Int64  // of the queue and of what is being written; <= cfg.Queue

	mu      sync.Mutex
	queue   [][]byte
	resting bool // between two dials: what is sent is dropped

	absent time.Time // run's: since when the member cannot be reached; zero: it can
}

func newTCPPeer(t *TCP, to ID) *tcpPeer {
	return &tcpPeer{t: t, to: to, wake: make(chan struct{}, 1), skip: make(chan struct{}, 1)}
}

// send queues a message, or drops it.
func (p *tcpPeer) send(msg []byte) {
	if limit := p.t.endpoint.MaxMessage; len(msg) > limit {
		p.t.warnings.warn("too large", "message is too large and was not sent", "to", p.to, "bytes", len(msg), "limit", limit)
		return
	}
	queued, first := p.enqueue(msg)
	if !queued {
		p.t.warnings.warn("full "+string(p.to), "member does not keep up: dropping messages to it", "to", p.to, "limit", p.t.cfg.Queue)
	}
	if first {
		signal(p.wake)
	}
}

// enqueue reports whether the queue had room, and whether it was empty.
func (p *tcpPeer) enqueue(msg []byte) (queued, first bool) {
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
func (p *tcpPeer) take(spare [][]byte) [][]byte {
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
func (p *tcpPeer) done(batch [][]byte) {
	for i, msg := range batch {
		p.bytes.Add(-int64(len(msg) + messageOverhead))
		batch[i] = nil
	}
}

// run dials whenever there is something to send, and writes while the connection lasts.
func (p *tcpPeer) run() {
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
func (p *tcpPeer) await() bool {
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
func (p *tcpPeer) rest(d time.Duration) bool {
	p.setResting(true)
	p.done(p.take(nil))
	defer p.setResting(false)
	return p.t.pause(d, p.skip)
}

func (p *tcpPeer) setResting(resting bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resting = resting
}

// hurry ends a rest: the member is known to be up.
func (p *tcpPeer) hurry() { signal(p.skip) }

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// connect dials, greets and writes until the connection ends. It returns how long messages could
// go, 0 if it never came so far, and why it ended.
func (p *tcpPeer) connect() (lasted time.Duration, err error) {
	raw, err := p.dial()
	if err != nil {
		return 0, err
	}
	defer p.t.release(raw)
	giveUpAfter(raw, p.t.cfg.Timeout)
	c, err := p.t.dialled(raw, p.to)
	if err != nil {
		return 0, err
	}
	p.absent = time.Time{}
	p.t.endpoint.Logger.Debug("connected to member", "member", p.to, "address", raw.RemoteAddr())
	began := time.Now()
	err = p.write(c)
	return max(1, time.Since(began)), err
}

// dial asks for the address each time, since it may change.
func (p *tcpPeer) dial() (net.Conn, error) {
	addr := p.t.endpoint.Addr(p.to)
	if addr == "" {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errNoAddress}
	}
	dialer := net.Dialer{Timeout: min(dialTimeout, p.t.cfg.Timeout), KeepAliveConfig: p.t.cfg.keepAlive()}
	raw, err := dialer.DialContext(p.t.stopping, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if !p.t.track(raw) {
		return nil, net.ErrClosed
	}
	return raw, nil
}

var errNoAddress = errors.New("the member has no address")

// write sends what is queued, everything that waits at once, until the connection ends or the
// transport closes and nothing waits.
func (p *tcpPeer) write(c *tcpConn) error {
	ended := make(chan error, 1)
	p.t.others.Go(func() { ended <- c.watch() })
	var batch [][]byte
	for {
		batch = p.take(batch)
		if err := p.writeBatch(c, batch); err != nil {
			return err
		}
		if len(batch) > 0 {
			continue
		}
		if p.t.stopping.Err() != nil {
			return net.ErrClosed
		}
		select {
		case <-p.wake:
		case err := <-ended:
			return err
		case <-p.t.stopping.Done():
		}
	}
}

func (p *tcpPeer) writeBatch(c *tcpConn, batch [][]byte) error {
	for i, msg := range batch {
		if err := c.out.write(msg); err != nil {
			p.done(batch[i:])
			return err
		}
		p.done(batch[i : i+1])
	}
	return c.out.Flush()
}

// watch waits for the end of a connection, whose other side says nothing after its answer, so that
// it is noticed before a message is written that nobody reads.
func (c *tcpConn) watch() error {
	var b [1]byte
	n, err := c.in.Read(b[:])
	if n > 0 {
		return &frameError{"bytes from the side that only reads"}
	}
	return err
}

// report logs why a member is not reached: what is wrong at Warn, what passes by itself at Info,
// once, until it lasts.
func (p *tcpPeer) report(lasted time.Duration, err error) {
	first := p.absent.IsZero()
	if first {
		p.absent = time.Now()
	}
	log := p.t.endpoint.Logger
	switch {
	case p.t.stopping.Err() != nil:
	case !ordinary(err):
		p.t.warnings.warn("dialled "+string(p.to), "no connection to member", "member", p.to, "reason", err)
	case lasted > 0:
		log.Info("connection to member broke", "member", p.to, "reason", err)
	case time.Since(p.absent) > absentLong:
		p.t.warnings.warn("dialled "+string(p.to), "member cannot be reached", "member", p.to,
			"for", time.Since(p.absent).Round(time.Second), "reason", err)
	case first:
		log.Info("member cannot be reached", "member", p.to, "reason", err)
	default:
		log.Debug("member cannot be reached", "member", p.to, "reason", err)
	}
}
