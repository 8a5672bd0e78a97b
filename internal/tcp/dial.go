package tcp

import (
	"errors"
	"net"
	"time"
)

const (
	dialTimeout = 2 * time.Second  // so that a healed partition is noticed soon
	absentLong  = 10 * time.Second // an operator should hear of a member that was not reached so long
)

// connect dials, greets and writes until the connection ends. It returns how long messages could
// go, 0 if it never came so far, and why it ended.
func (p *peer) connect() (lasted time.Duration, err error) {
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
func (p *peer) dial() (net.Conn, error) {
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
func (p *peer) write(c *conn) error {
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

func (p *peer) writeBatch(c *conn, batch [][]byte) error {
	for i, msg := range batch {
		if err := c.out.write(msg); err != nil {
			p.done(batch[i:])
			return err
		}
		p.done(batch[i : i+1])
	}
	return c.out.Flush()
}

// report logs why a member is not reached: what is wrong at Warn, what passes by itself at Info,
// once, until it lasts.
func (p *peer) report(lasted time.Duration, err error) {
	first := p.absent.IsZero()
	if first {
		p.absent = time.Now()
	}
	log := p.t.endpoint.Logger
	switch {
	case p.t.stopping.Err() != nil:
	case !ordinary(err):
		p.t.warnings.Warn("dialled "+p.to, "no connection to member", "member", p.to, "reason", err)
	case lasted > 0:
		log.Info("connection to member broke", "member", p.to, "reason", err)
	case time.Since(p.absent) > absentLong:
		p.t.warnings.Warn("dialled "+p.to, "member cannot be reached", "member", p.to,
			"for", time.Since(p.absent).Round(time.Second), "reason", err)
	case first:
		log.Info("member cannot be reached", "member", p.to, "reason", err)
	default:
		log.Debug("member cannot be reached", "member", p.to, "reason", err)
	}
}
