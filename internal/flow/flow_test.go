package flow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// pipe is a link with a rate and a delay, over which parts are sent as a flow permits.
type pipe struct {
	flow  Flow
	now   time.Time
	rate  int64         // bytes a second
	delay time.Duration // until an answer comes, beside the time on the link
	free  time.Time     // when the link has carried all
	parts []time.Time   // when the answers to the parts in flight come
	next  uint64        // number of the next part
}

const partSize = 16 << 10

// run sends parts for d, and returns the bytes that were answered.
func (p *pipe) run(d time.Duration) (bytes int64) {
	for end := p.now.Add(d); ; {
		for int64(len(p.parts))*partSize < p.flow.Room() {
			if p.free.Before(p.now) {
				p.free = p.now
			}
			p.free = p.free.Add(time.Duration(partSize * int64(time.Second) / p.rate))
			p.parts = append(p.parts, p.free.Add(p.delay))
			p.flow.Sent(p.next, p.now)
			p.next++
		}
		if p.parts[0].After(end) {
			p.now = end
			return bytes
		}
		p.now = p.parts[0]
		first := p.next - uint64(len(p.parts))
		p.parts = p.parts[1:]
		p.flow.Took(partSize)
		bytes += partSize
		if p.flow.Times(first, first) {
			p.flow.Answered(p.now, 50*time.Millisecond)
		}
	}
}

// C1, C2: what is in flight fills the link and makes no long queue before it, also after the rate or the delay has
// changed.
func TestFlowFollowsTheLink(t *testing.T) {
	p := pipe{now: time.Unix(1, 0)}
	for _, link := range []struct {
		rate  int64
		delay time.Duration
	}{{1 << 20, 2 * time.Millisecond}, {64 << 10, 2 * time.Millisecond}, {8 << 20, 2 * time.Millisecond}, {8 << 20, 300 * time.Millisecond}, {1 << 20, 2 * time.Millisecond}, {1 << 30, time.Millisecond}} {
		p.rate, p.delay = link.rate, link.delay
		p.run(30 * time.Second)
		assert.Greater(t, 5*p.run(10*time.Second), 4*10*min(link.rate, MaxWindow*int64(time.Second/link.delay)), "%+v: four fifths of the rate", link)
		queue := time.Duration(p.flow.window * int64(time.Second) / link.rate)
		assert.Less(t, queue, 4*link.delay+500*time.Millisecond, "%+v: time that a full window takes", link)
	}
}

// 11.10: a flow never permits more than its limit, whatever the link carries.
func TestFlowKeepsItsLimit(t *testing.T) {
	p := pipe{now: time.Unix(1, 0), rate: 1 << 30, delay: 100 * time.Millisecond, flow: New(96 << 10)}
	for range 1000 {
		p.run(time.Millisecond)
		assert.LessOrEqual(t, p.flow.Room(), int64(96<<10))
	}
	assert.EqualValues(t, 96<<10, p.flow.window)
}

// Parts that are few say nothing about how many there could be.
func TestFlowKeepsItsWindowWhileLittleIsSent(t *testing.T) {
	p := pipe{now: time.Unix(1, 0), rate: 8 << 20, delay: time.Millisecond}
	p.run(time.Second)
	p.flow.Lost()
	before := p.flow.window
	for range 100 {
		p.now = p.now.Add(time.Second)
		p.flow.Sent(p.next, p.now)
		p.now = p.now.Add(3 * time.Millisecond)
		p.flow.Took(100)
		p.flow.Answered(p.now, 50*time.Millisecond)
	}
	assert.GreaterOrEqual(t, p.flow.window, before)
}
