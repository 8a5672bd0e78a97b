package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Bodies that have arrived in part hold no more than the budget together: requests beyond it are refused,
// and nothing is held when the clients are gone.
func TestHalfSentBodiesAreBounded(t *testing.T) {
	w := newBoundedWeb(t, 8<<20)
	const clients, size, most = 100, 1_000_000, 2 // 3*size for each
	refused := make(chan int, clients)
	var all []net.Conn
	for range clients {
		c, err := net.Dial("tcp", w.Listener.Addr().String())
		require.NoError(t, err)
		all = append(all, c)
		go func() {
			fmt.Fprintf(c, "PUT /kv/k HTTP/1.1\r\nHost: kv\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size/2))
			if response, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
				response.Body.Close()
				refused <- response.StatusCode
			} else {
				refused <- 0
			}
		}()
	}
	for range clients - most {
		if code := <-refused; code != 0 { // a client that still sends may not get to read the answer
			require.Equal(t, 503, code)
		}
		require.LessOrEqual(t, w.budget.held.Load(), w.budget.limit)
	}
	for _, c := range all {
		c.Close()
	}
	w.Close()
	require.Zero(t, w.budget.held.Load())
}

// Clients that send large requests and do not end them leave room for small ones: a probe that is not answered would have
// the process restarted.
func TestLargeRequestsLeaveRoomForProbes(t *testing.T) {
	w := newBoundedWeb(t, 8<<20)
	for w.budget.takeLarge(connBytes) {
	}
	response, err := http.Get("http://" + w.Listener.Addr().String() + "/status")
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, 200, response.StatusCode)
	response, err = http.Post("http://"+w.Listener.Addr().String()+"/kv/k?absent=true", "", strings.NewReader(strings.Repeat("x", maxOp/4)))
	if err == nil { // otherwise the connection was closed before the whole body was sent
		response.Body.Close()
		require.Equal(t, 503, response.StatusCode)
	}
}

// Headers count while they arrive.
func TestHalfSentHeadersAreBounded(t *testing.T) {
	w := newBoundedWeb(t, 1<<20)
	c, err := net.Dial("tcp", w.Listener.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	go fmt.Fprintf(c, "GET /kv/k HTTP/1.1\r\nHost: kv\r\nX: %s", strings.Repeat("x", 2<<20))
	_, _ = bufio.NewReader(c).ReadBytes(0) // until the server closes the connection
	w.Close()
	require.Zero(t, w.budget.held.Load())
}

// With the budget used up, what needs memory is refused without an effect, and all else is answered.
func TestNoRoomForARequest(t *testing.T) {
	w := newTestWeb(t)
	w.group.store.pairs.ReplaceOrInsert(pair{Key: "large", Value: make([]byte, maxOp)})
	w.group.store.pairs.ReplaceOrInsert(pair{Key: "small", Value: []byte("1")})
	require.True(t, w.budget.take(w.budget.limit-maxOp/2))
	for request, code := range map[string]int{"GET /kv/large": 503, "GET /kv?to=m": 503, "GET /kv/small": 200, "GET /kv?from=m": 200, "GET /status": 200} {
		method, path, _ := strings.Cut(request, " ")
		assert.Equal(t, code, w.do(method, path, "").code, request)
	}
	refusal := w.do("PUT", "/kv/k", strings.Repeat("x", maxOp/4))
	assert.Equal(t, 503, refusal.code)
	assert.Contains(t, refusal.body, "not applied")
	assert.Equal(t, 204, w.do("PUT", "/kv/k", "1").code)
}

// An answer with a range is bounded in bytes, and the key at which it goes on leads through all pairs.
func TestRangesAreBoundedInBytes(t *testing.T) {
	w := newTestWeb(t)
	for i := range 40 {
		w.group.store.pairs.ReplaceOrInsert(pair{Key: fmt.Sprintf("%c key & %d", 'a'+i, i), Value: make([]byte, 100_000*(i%14))})
	}
	seen := 0
	for path, more := "/kv?limit=1000", true; more; {
		got := w.do("GET", path, "")
		require.Equal(t, 200, got.code)
		require.LessOrEqual(t, len(got.body), 2*rangeBytes)
		var pairs []rangePair
		require.NoError(t, json.Unmarshal([]byte(got.body), &pairs))
		for _, p := range pairs {
			require.Len(t, p.Value, 100_000*(seen%14), p.Key)
			seen++
		}
		next := got.header.Get("Smr-Next")
		path, more = "/kv?limit=1000&from="+next, next != ""
	}
	require.Equal(t, 40, seen)
}

// timed is a response whose deadlines are recorded.
type timed struct {
	*httptest.ResponseRecorder
	read, write []time.Time
}

func (w *timed) SetReadDeadline(at time.Time) error {
	w.read = append(w.read, at)
	return nil
}

func (w *timed) SetWriteDeadline(at time.Time) error {
	w.write = append(w.write, at)
	return nil
}

// Bodies must arrive, and answers must be read, within a time. The deadline of a body ends with it: the
// group may need longer.
func TestDeadlines(t *testing.T) {
	w := &timed{ResponseRecorder: httptest.NewRecorder()}
	metered := &recorder{ResponseWriter: w}
	_, err := readBody(metered, httptest.NewRequest("PUT", "/kv/k", strings.NewReader("body")), 4)
	require.NoError(t, err)
	require.Len(t, w.read, 2)
	require.False(t, w.read[0].IsZero())
	require.True(t, w.read[1].IsZero())
	respond(metered, 200, nil)
	respondJSON(metered, 200, nil)
	require.Len(t, w.write, 2)
	require.NotContains(t, w.write, time.Time{})
}
