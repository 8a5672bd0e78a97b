//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
)

// client sends one request after another to a cluster and records the answers in a history.
type client struct {
	number  int
	cluster *cluster
	history *history
	rand    *rand.Rand
	at      int               // index of the replica that it sends to, until that one fails
	sent    int               // requests so far
	seen    map[string]string // last value seen of each key
}

// run sends requests until ctx ends.
func (c *client) run(ctx context.Context) {
	for ctx.Err() == nil {
		c.do(ctx, c.next())
	}
}

// next returns a random operation. Keys change with time, so that the history of each is short enough to
// be checked quickly. Values are unique.
func (c *client) next() input {
	c.sent++
	in := input{key: fmt.Sprintf("%d/%d", c.history.acked.Load()/1000, c.rand.IntN(3)), value: fmt.Sprintf("%d.%d", c.number, c.sent)}
	switch n := c.rand.IntN(100); {
	case n < 40:
		return input{verb: get, key: in.key}
	case n < 70:
		in.verb = put
	case n < 85:
		in.verb, in.old = swap, c.seen[in.key]
	case n < 92:
		in.verb = create
	default:
		in.verb, in.value = remove, ""
	}
	return in
}

// do sends an operation until its outcome is known, to another replica after each failure. Every second
// write has no Smr-Request; it is not resent once it may have been applied.
func (c *client) do(ctx context.Context, in input) {
	call := c.history.now()
	name, maybe := "", false
	if in.verb != get && c.sent%2 == 0 {
		name = fmt.Sprintf("client %d, request %d", c.number, c.sent)
	}
	for {
		out, sure := c.send(ctx, c.at, in, name)
		if out.unknown || c.sent%20 == 0 {
			c.at = c.rand.IntN(3)
		}
		maybe = maybe || !sure
		switch {
		case !out.unknown:
			c.learn(in, out)
			c.history.add(c.number, call, in, out)
			return
		case ctx.Err() != nil, maybe && name == "" && in.verb != get:
			if maybe {
				c.history.add(c.number, call, in, out)
			}
			return
		}
		pause(ctx, 10*time.Millisecond)
	}
}

// learn records the value of a key that the client has seen.
func (c *client) learn(in input, out output) {
	switch {
	case in.verb == get, out.outcome == differs:
		c.seen[in.key] = out.value
	case out.outcome == done:
		c.seen[in.key] = in.value
	}
}

// send sends an operation once. If there is no outcome, sure reports that it was not applied.
func (c *client) send(ctx context.Context, at int, in input, name string) (out output, sure bool) {
	response, err := c.cluster.web.Do(c.request(ctx, at, in, name))
	if err != nil {
		return output{unknown: true}, false
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return output{unknown: true}, false
	}
	out.op, _ = strconv.ParseUint(response.Header.Get("Smr-Op"), 10, 64)
	switch code := response.StatusCode; {
	case code == http.StatusOK && in.verb == get:
		out.outcome, out.value = done, string(body)
	case code == http.StatusNotFound && in.verb == get, code == http.StatusConflict && response.Header.Get("Smr-Absent") == "true":
		out.outcome = absent
	case code == http.StatusNoContent && in.verb != get:
		out.outcome = done
	case code == http.StatusConflict:
		out.outcome, out.value = differs, string(body)
	default:
		out.unknown = true
		assert.Contains(c.cluster.t, []int{http.StatusServiceUnavailable, http.StatusGatewayTimeout}, code, "%v: %s", in, body)
		return out, code == http.StatusServiceUnavailable
	}
	return out, true
}

func (c *client) request(ctx context.Context, at int, in input, name string) *http.Request {
	method, query := map[verb]string{get: "GET", put: "PUT", remove: "DELETE", swap: "POST", create: "POST"}[in.verb], ""
	switch in.verb {
	case swap:
		query = "?if=" + url.QueryEscape(in.old)
	case create:
		query = "?absent=true"
	}
	target := c.cluster.processes[at].url + "/kv/" + url.PathEscape(in.key) + query
	request, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(in.value))
	assert.NoError(c.cluster.t, err)
	if name != "" {
		request.Header.Set("Smr-Request", name)
	}
	return request
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
