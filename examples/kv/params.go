package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/smr-go/smr"
)

const (
	defaultLimit = 100         // pairs in a range
	maxLimit     = 1000        // pairs in a range; larger limits are reduced to it
	maxRequest   = 256         // bytes of a Smr-Request header
	maxWait      = time.Minute // of a request for /status
)

// query parses the query of the URL. Unlike URL.Query, it reports errors.
func query(r *http.Request) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("the query %q cannot be parsed: %w", r.URL.RawQuery, err)
	}
	return q, nil
}

// writeCommand returns the command of a PUT, DELETE or POST without its value.
func writeCommand(r *http.Request, key string) (command, error) {
	c := command{Key: key, Request: r.Header.Get("Smr-Request")}
	if len(c.Request) > maxRequest {
		return c, fmt.Errorf("the header Smr-Request has %d bytes, at most %d are allowed", len(c.Request), maxRequest)
	}
	switch r.Method {
	case http.MethodPut:
		c.Verb = put
		return c, nil
	case http.MethodDelete:
		c.Verb = remove
		return c, nil
	}
	q, err := query(r)
	switch {
	case err != nil:
		return c, err
	case q.Has("if") && !q.Has("absent"):
		c.Verb, c.Old = swap, []byte(q.Get("if"))
	case q.Get("absent") == "true" && !q.Has("if"):
		c.Verb = create
	default:
		return c, errors.New("POST needs ?if=OLD, to compare and set, or ?absent=true, to create")
	}
	return c, nil
}

// readLevel returns the level in the query of a GET.
func readLevel(r *http.Request) (smr.ReadLevel, error) {
	q, err := query(r)
	if err != nil {
		return smr.Linearizable, err
	}
	name, op, hasOp := strings.Cut(q.Get("level"), ":")
	switch {
	case !q.Has("level"), name == "linearizable" && !hasOp:
		return smr.Linearizable, nil
	case name == "local" && !hasOp:
		return smr.Local, nil
	case name == "atleast":
		number, err := strconv.ParseUint(op, 10, 64)
		if err != nil {
			return smr.Linearizable, fmt.Errorf("level=atleast:OP needs the number of an op, as in the header Smr-Op, not %q", op)
		}
		return smr.AtLeast(number), nil
	}
	return smr.Linearizable, fmt.Errorf("level is %q: use linearizable, atleast:OP or local", q.Get("level"))
}

// pairLimit returns the largest number of pairs that a range may have.
func pairLimit(q url.Values) (int, error) {
	if !q.Has("limit") {
		return defaultLimit, nil
	}
	limit, err := strconv.ParseUint(q.Get("limit"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("limit is %q: use a number from 0 to %d", q.Get("limit"), maxLimit)
	}
	return int(min(limit, maxLimit)), nil
}

// waiting describes a wait for /status: until the view is above after, but not longer than wait.
type waiting struct {
	after uint64
	wait  time.Duration // 0 for an immediate answer
}

// statusWait returns the wait in the query of /status, at most maxWait.
func statusWait(q url.Values, fallback time.Duration) (waiting, error) {
	if !q.Has("after") {
		return waiting{}, nil
	}
	after, err := strconv.ParseUint(q.Get("after"), 10, 64)
	if err != nil {
		return waiting{}, fmt.Errorf("after is %q: use the number of a view", q.Get("after"))
	}
	if !q.Has("wait") {
		return waiting{after, fallback}, nil
	}
	wait, err := time.ParseDuration(q.Get("wait"))
	if err != nil || wait < 0 {
		return waiting{}, fmt.Errorf("wait is %q: use a duration such as 5s", q.Get("wait"))
	}
	return waiting{after, min(wait, maxWait)}, nil
}
