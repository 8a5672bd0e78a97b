package conform

import (
	"container/heap"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr"
)

const (
	delayedMessages = 1 << 16
	delayedBytes    = 32 << 20
)

// delays holds messages until they are due and then passes them to send, in that order. Its goroutine
// runs from newDelays to close.
type delays struct {
	send   func(to smr.ID, msg []byte)
	logger hclog.Logger
	wake   chan struct{} // holds one value when the first due time or closed has changed
	ended  chan struct{} // closed when the goroutine has ended

	mu     sync.Mutex
	queue  delayQueue // len(queue) <= delayedMessages
	bytes  int        // of the queue: bytes <= delayedBytes
	count  uint64     // of messages so far
	full   bool       // the warning was logged
	closed bool
}

type delayedMessage struct {
	due    time.Time
	number uint64 // orders messages with the same due time
	to     smr.ID
	msg    []byte
}

func newDelays(send func(to smr.ID, msg []byte), logger hclog.Logger) *delays {
	d := &delays{send: send, logger: logger, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	go d.run()
	return d
}

// put adds a message, or drops it if delays is full.
func (d *delays) put(to smr.ID, msg []byte, delay time.Duration) {
	due := time.Now().Add(delay)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	if len(d.queue) >= delayedMessages || d.bytes+len(msg) > delayedBytes {
		d.warnOnce()
		return
	}
	d.count++
	d.bytes += len(msg)
	heap.Push(&d.queue, delayedMessage{due, d.count, to, msg})
	if d.queue[0].number == d.count {
		d.stir()
	}
}

func (d *delays) warnOnce() {
	if !d.full {
		d.full = true
		d.logger.Warn("conform.Shaken has too many delayed messages and drops some", "messages", delayedMessages, "bytes", delayedBytes)
	}
}

// stir wakes the goroutine.
func (d *delays) stir() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *delays) run() {
	defer close(d.ended)
	for d.waits() {
		d.sendDue()
	}
}

// waits waits until a message is due. It returns false when delays is closed.
func (d *delays) waits() bool {
	timer := time.NewTimer(0)
	timer.Stop()
	defer timer.Stop()
	for {
		first, some, closed := d.first()
		wait := time.Until(first)
		switch {
		case closed:
			return false
		case some && wait <= 0:
			return true
		case some:
			timer.Reset(wait)
		}
		select {
		case <-timer.C:
		case <-d.wake:
		}
	}
}

// first returns the first due time, if any message waits.
func (d *delays) first() (due time.Time, some, closed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) > 0 {
		due, some = d.queue[0].due, true
	}
	return due, some, d.closed
}

// sendDue sends the first message, unless close has dropped it.
func (d *delays) sendDue() {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	m := heap.Pop(&d.queue).(delayedMessage)
	d.bytes -= len(m.msg)
	d.mu.Unlock()
	d.send(m.to, m.msg)
}

// close drops all messages. After it returns, send is not called.
func (d *delays) close() {
	d.mu.Lock()
	d.closed, d.queue = true, nil
	d.mu.Unlock()
	d.stir()
	<-d.ended
}

// delayQueue is a heap ordered by due time and number.
type delayQueue []delayedMessage

func (q delayQueue) Len() int      { return len(q) }
func (q delayQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q delayQueue) Less(i, j int) bool {
	if !q[i].due.Equal(q[j].due) {
		return q[i].due.Before(q[j].due)
	}
	return q[i].number < q[j].number
}
func (q *delayQueue) Push(m any) { *q = append(*q, m.(delayedMessage)) }
func (q *delayQueue) Pop() any {
	last := len(*q) - 1
	m := (*q)[last]
	(*q)[last] = delayedMessage{}
	*q = (*q)[:last]
	return m
}
