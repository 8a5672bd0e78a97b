package smr

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// V2. The members are closed and started again, one after another, in two rounds. The clients of a member
// pause while it is down. All other calls succeed, including those under way.
func TestRollingRestartLosesNoCall(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.wires.latency = time.Millisecond
		g.start()
		c := map[ID]*steadyClient{}
		for _, id := range g.all() {
			c[id] = &steadyClient{g: g, at: id}
			c[id].resume()
		}
		for range 2 {
			for _, id := range g.all() {
				time.Sleep(time.Second)
				c[id].pause()
				require.NoError(t, g.close(id))
				time.Sleep(time.Second)
				g.start(id)
				c[id].resume()
			}
		}
		for _, id := range g.all() {
			c[id].pause()
			require.Greater(t, c[id].calls, 500)
		}
	})
}

// steadyClient proposes at one member without pause between resume and pause. Every call must succeed.
type steadyClient struct {
	g     *group
	at    ID
	calls int
	stop  chan struct{}
	busy  sync.WaitGroup
}

func (c *steadyClient) resume() {
	c.stop = make(chan struct{})
	c.busy.Go(c.run)
}

// pause returns when the last call has returned.
func (c *steadyClient) pause() {
	close(c.stop)
	c.busy.Wait()
}

func (c *steadyClient) run() {
	for {
		select {
		case <-c.stop:
			return
		default:
		}
		c.calls++
		_, err := c.g.replica(c.at).Propose(c.g.in(30*time.Second), fmt.Appendf(nil, "%s %d", c.at, c.calls))
		assert.NoError(c.g.t, err)
	}
}
