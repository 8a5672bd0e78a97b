package tcp

import (
	"errors"
	"net"
	"time"
)

const (
	dialTimeout = 2 * time.Second  // short, so that dialling succeeds soon after a partition heals
	absentLong  = 10 * time.Second // a member that is dialled in vain for so long is worth a warning
)

// connect dials, exchanges greetings and writes messages until the connection ends. It returns for how
// long messages could be sent, 0 if they never could, and the reason why the connection ended.
func (p *peer) connect() (lasted time.Duration, err error) {
	if p.up.Swap(false) || time.Since(p.tried) > absentLong {
		p.absent = time.Time{} // the member is or may have been up since it was not reached
	}
	raw, err := p.dial()
	if err != nil {
		return 0, err
	}
	defer p.t.release(raw)
	c, err := p.t.dialled(raw, p.to)
	if err != nil {
		return 0, err
	}
	p.absent = time.Time{}
	p.unreached.end(&p.t.warnings, "member is reached again", "member", p.to)
	p.t.endpoint.Logger.Debug("connected to member", "member", p.to, "address", raw.RemoteAddr())
	began := time.Now()
	err = p.write(c)
	return max(1, time.Since(began)), err
}

// dial dials the present address of the member, which may have changed since the last time.
func (p *peer) dial() (net.Conn, error) {
	addr := p.t.endpoint.Addr(p.to)
	if addr == "" {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errNoAddress}
	}
	raw, err := p.t.dial(p.t.stopping, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if !p.t.track(raw) {
		return nil, net.ErrClosed
	}
	return raw, nil
}

var errNoAddress = errors.New("the member has no address")

// write writes queued messages, all that are waiting at once. It returns when the connection ends, or when
// the transport closes and the queue is empty.
func (p *peer) write(c *conn) error {
	ended := make(chan error, 1)
	p.t.others.Go(func() { ended <- c.watch() })
	for {
		first, err := p.writeAhead(c)
		if err != nil {
			return err
		}
		batch, _ := p.queue.Take()
		if err := p.writeBatch(c, batch); err != nil {
			return err
		}
		if first || len(batch) > 0 {
			continue
		}
		p.full.end(&p.t.warnings, "member keeps up again", "to", p.to)
		if p.t.stopping.Err() != nil {
			return net.ErrClosed
		}
		select {
		case <-p.queue.Wake():
		case <-p.ahead.Wake():
		case err := <-ended:
			return err
		case <-p.t.stopping.Done():
		}
	}
}

// writeAhead writes and flushes the messages that go ahead of others, and reports whether there were any.
func (p *peer) writeAhead(c *conn) (any bool, err error) {
	batch, size := p.ahead.Take()
	for _, msg := range batch {
		err = c.out.write(msg) // after an error, every write returns it
	}
	clear(batch)
	p.ahead.Release(size)
	if err == nil && len(batch) > 0 {
		err = c.out.Flush()
	}
	return len(batch) > 0, err
}

// writeBatch writes and flushes a batch, and releases each message when it is written. Messages that go
// ahead are written in between. After an error, it drops the rest.
func (p *peer) writeBatch(c *conn, batch [][]byte) (err error) {
	for i, msg := range batch {
		select {
		case <-p.ahead.Wake():
			_, err = p.writeAhead(c)
		default:
		}
		if err == nil {
			err = c.out.write(msg)
		}
		p.queue.Release(cost(msg))
		batch[i] = nil
	}
	if err != nil {
		return err
	}
	return c.out.Flush()
}

// report logs why a member is not reached. Errors that need an operator are logged at Warn. Errors that
// pass by themselves are logged once at Info, and at Warn if they last.
func (p *peer) report(lasted time.Duration, err error) {
	p.tried = time.Now()
	first := p.absent.IsZero()
	if first {
		p.absent = p.tried
	}
	absent := p.tried.Sub(p.absent)
	log := p.t.endpoint.Logger
	switch {
	case p.t.stopping.Err() != nil:
	case !ordinary(err):
		p.unreached.begin(&p.t.warnings, reasonOf(err), "no connection to member", "member", p.to, "reason", err)
	case lasted > 0:
		log.Info("connection to member broke", "member", p.to, "reason", err)
	case absent > absentLong:
		p.unreached.begin(&p.t.warnings, "", "member cannot be reached", "member", p.to, "for", absent.Round(time.Second), "reason", err)
	case first:
		log.Info("member cannot be reached", "member", p.to, "reason", err)
	default:
		log.Debug("member cannot be reached", "member", p.to, "reason", err)
	}
}
