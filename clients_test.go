package smr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clients propose distinct operations at all replicas without pause, and record the outcome of each.
type clients struct {
	g    *group
	over atomic.Bool
	busy sync.WaitGroup

	mu           sync.Mutex
	acknowledged map[string]string // results by body
	refused      []string          // bodies that failed with ErrNotApplied
	unknown      []string
}

var clientNumber atomic.Int64

// clients starts that many clients at each member.
func (g *group) clients(each int) *clients {
	c := &clients{g: g, acknowledged: map[string]string{}}
	g.t.Cleanup(c.stop)
	for _, id := range g.all() {
		for range each {
			name := fmt.Sprint("client ", clientNumber.Add(1), ".")
			c.busy.Go(func() { c.write(id, name) })
		}
	}
	return c
}

func (c *clients) write(at ID, name string) {
	for i := 0; !c.over.Load(); i++ {
		r := c.g.replica(at)
		if r == nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		body := name + strconv.Itoa(i)
		ctx, cancel := context.WithTimeout(c.g.t.Context(), 3*time.Second)
		result, err := r.Propose(ctx, []byte(body))
		cancel()
		c.ended(body, string(result), err)
		time.Sleep(10 * time.Millisecond)
	}
}

func (c *clients) ended(body, result string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err == nil:
		c.acknowledged[body] = result
	case errors.Is(err, ErrNotApplied):
		assert.NotErrorIs(c.g.t, err, ErrUnknown)
		c.refused = append(c.refused, body)
	default:
		assert.ErrorIs(c.g.t, err, ErrUnknown)
		c.unknown = append(c.unknown, body)
	}
}

// stop stops the clients and waits until they have returned.
func (c *clients) stop() {
	c.over.Store(true)
	c.busy.Wait()
}

// check compares the history of the settled group with the outcomes that the clients received.
func (c *clients) check() {
	t := c.g.t
	t.Helper()
	c.g.sameHistory()
	place := map[string]string{}
	for i, body := range c.g.history(c.g.ids()[0]) {
		require.Zero(t, place[body], "%s was applied twice", body)
		place[body] = strconv.Itoa(i + 1)
	}
	for body, result := range c.acknowledged {
		require.Equal(t, place[body], result, "%s was acknowledged", body)
	}
	for _, body := range c.refused {
		require.Zero(t, place[body], "%s was said not to be applied", body)
	}
	applied := slices.DeleteFunc(slices.Clone(c.unknown), func(body string) bool { return place[body] == "" })
	t.Logf("%d acknowledged, %d not applied, %d unknown, of which %d applied",
		len(c.acknowledged), len(c.refused), len(c.unknown), len(applied))
}

func isNotApplied(err error) bool { return errors.Is(err, ErrNotApplied) }
