package world

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// pair is a group of two, of which the first sends to the second.
type pair struct {
	e        Events
	net      *Network
	down     bool
	received []string
	altered  int
	fits     string
	fates    []Fate
	links    []bool
}

func newPair(c Conditions) *pair {
	p := &pair{}
	p.net = NewNetwork(1, 2, &c, &p.e, p, p)
	return p
}

func (p *pair) Up(int) bool                                  { return !p.down }
func (p *pair) Receive(_, _ int, b []byte)                   { p.received = append(p.received, string(b)) }
func (p *pair) Altered([]byte)                               { p.altered++ }
func (p *pair) Severed(from, _ int) bool                     { return from == 1 }
func (p *pair) Fits(_ int, b []byte) bool                    { return p.fits == "" || string(b) == p.fits }
func (p *pair) Ended(_ time.Duration, _ uint64, f Fate)      { p.fates = append(p.fates, f) }
func (p *pair) Linked(_ time.Duration, _, _ int, whole bool) { p.links = append(p.links, whole) }

func (p *pair) send(texts ...string) {
	for i, text := range texts {
		p.net.Links[0][1].Send(uint64(i), []byte(text), 0, false)
	}
}

func (p *pair) run(d time.Duration) {
	for end := p.e.Now() + d; p.e.Step(end); {
	}
}

// A message arrives after the delay, unless its receiver is down, or the link is cut when it leaves or when it arrives.
func TestLinkCarriesAndCuts(t *testing.T) {
	p := newPair(Conditions{Delay: 5})
	link := p.net.Links[0][1]
	p.send("a")
	p.run(4)
	assert.Empty(t, p.received)
	p.run(1)
	assert.Equal(t, []string{"a"}, p.received)
	p.send("late")
	link.CutFor(10)
	p.net.Changed()
	p.send("cut")
	p.run(20)
	p.down = true
	p.send("nobody")
	p.run(10)
	p.down = false
	link.CutFor(0)
	p.send("cut for good")
	link.Mend()
	p.send("mended")
	p.run(10)
	assert.Equal(t, []string{"a", "mended"}, p.received)
	assert.Equal(t, []Fate{Arrived, CutOff, CutOff, Refused, CutOff, Arrived}, p.fates)
	assert.Contains(t, p.links, true, "the watcher learns that the cut is over")
	link.CutFor(0)
	p.net.Healed = true
	assert.False(t, link.IsCut())
	assert.True(t, p.net.Links[1][0].IsCut(), "what severs it heals for nothing")
}

// A narrow link carries a number of bytes a second. Short messages go ahead of bulk, between two pieces of a message.
func TestLinkIsNarrow(t *testing.T) {
	p := newPair(Conditions{Delay: time.Millisecond})
	link := p.net.Links[0][1]
	link.Narrow.Begin(0, 0, piece)
	link.Send(1, make([]byte, 2*piece), 1, true)
	link.Send(2, []byte("later"), 1, true)
	link.Send(3, []byte("ahead"), 0, false)
	p.run(1999 * time.Millisecond)
	assert.Equal(t, []string{"ahead"}, p.received)
	p.run(5 * time.Millisecond)
	assert.Len(t, p.received, 3)
	link.Send(4, make([]byte, longestWait), 1, true)
	link.Send(5, []byte("no room"), 1, true)
	assert.Equal(t, Lost, p.fates[3])
	link.Narrow.Begin(p.e.Now(), 0, 0)
	p.run(1001 * time.Millisecond)
	assert.Len(t, p.received, 4, "a link that is not narrow any more carries the rest at once")
}

// A bad network loses, doubles, repeats and alters messages; a quiet one does not.
func TestLinkIsBad(t *testing.T) {
	count := func(c Conditions, quiet bool) *pair {
		p := newPair(c)
		p.net.Quiet = quiet
		for range 1000 {
			p.send("x")
		}
		p.run(time.Second)
		return p
	}
	assert.Len(t, count(Conditions{Loss: 0.5, Corrupt: 0.5}, true).received, 1000)
	assert.InDelta(t, 500, len(count(Conditions{Loss: 0.5}, false).received), 100)
	assert.InDelta(t, 2000, len(count(Conditions{Double: 0.5}, false).received), 100, "a copy may be doubled too")
	assert.InDelta(t, 1500, len(count(Conditions{Replay: 0.5}, false).received), 100)
	p := count(Conditions{Corrupt: 0.5}, false)
	assert.InDelta(t, 500, p.altered, 100)
	assert.Len(t, p.received, 1000-p.altered)
	p = newPair(Conditions{})
	p.net.Links[0][1].Lossy.Begin(0, 0, 1000)
	p.send("lost")
	p.net.Links[0][1].Reset()
	p.send("kept")
	p.run(1)
	assert.Equal(t, []string{"kept"}, p.received)
}

// A network that replays keeps old messages of each kind, and prefers those that fit the receiver again.
func TestOldMessagesThatFitAreReplayed(t *testing.T) {
	p := newPair(Conditions{Replay: 0.01})
	l := p.net.Links[0][1]
	l.Send(1, []byte("rare"), 2, false)
	for range 1000 {
		p.send("frequent")
	}
	p.run(time.Second)
	p.received, p.fits, p.net.Replay = nil, "rare", 0.1
	for range 20 {
		p.net.Revive(1)
	}
	p.run(time.Second)
	assert.Len(t, p.received, 20)
	assert.Contains(t, p.received, "rare")
	p.net.Healed = true
	p.net.Revive(1)
	p.run(time.Second)
	assert.Len(t, p.received, 20)
}
