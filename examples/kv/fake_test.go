package main

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

// fakeGroup is a group of one replica without goroutines. It applies a proposal at once, or fails if
// proposed or read is set.
type fakeGroup struct {
	mu       sync.Mutex
	store    *store
	op       uint64
	proposed error // of the next proposals
	read     error // of the next reads
	level    smr.ReadLevel
	status   smr.Status
	statuses chan smr.Status // what Watch tells after status
}

func (g *fakeGroup) Propose(_ context.Context, body []byte) ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.proposed != nil {
		return nil, g.proposed
	}
	g.op += 2 // numbers have gaps
	return g.store.Apply(smr.Op{Number: g.op, Body: body}), nil
}

func (g *fakeGroup) Read(_ context.Context, level smr.ReadLevel, f func()) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.level = level; g.read != nil {
		return g.read
	}
	f()
	return nil
}

func (g *fakeGroup) Status() smr.Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.status
}

func (g *fakeGroup) Watch(ctx context.Context) iter.Seq[smr.Status] {
	return func(yield func(smr.Status) bool) {
		for yield(g.Status()) {
			select {
			case <-ctx.Done():
				return
			case st := <-g.statuses:
				g.mu.Lock()
				g.status = st
				g.mu.Unlock()
			}
		}
	}
}

// web is a server over a fake group, and a client of it.
type web struct {
	*httptest.Server
	t     *testing.T
	group *fakeGroup
	stop  context.CancelFunc // stops the server

	budget *budget
}

func newTestWeb(t *testing.T) *web {
	t.Helper()
	return newBoundedWeb(t, requestBytes)
}

// newBoundedWeb returns a server whose requests may hold limit bytes together.
func newBoundedWeb(t *testing.T, limit int64) *web {
	t.Helper()
	s := newStore()
	g := &fakeGroup{store: s, statuses: make(chan smr.Status), status: smr.Status{
		ID: "a", Phase: smr.Normal, Epoch: 1, View: 4, Primary: "b", Op: 9, Commit: 8, Applied: 7, Snapshot: 6,
		Members: []smr.Member{{ID: "a", Addr: "here:1"}, {ID: "b", Addr: "there:2"}},
	}}
	stopping, stop := context.WithCancel(t.Context())
	b := &budget{limit: limit}
	server := httptest.NewUnstartedServer(&server{db: &db{g, s}, timeout: time.Minute, stopping: stopping, metrics: newMetrics(), budget: b})
	server.Listener, server.Config.ConnContext = countedListener{server.Listener, b}, withConn
	server.Start()
	t.Cleanup(server.Close)
	return &web{Server: server, t: t, group: g, stop: stop, budget: b}
}

// reply is an answer that a client received.
type reply struct {
	code   int
	header http.Header
	body   string
}

// do sends a request with headers of the form "Name: value".
func (w *web) do(method, path, body string, headers ...string) reply {
	w.t.Helper()
	request, err := http.NewRequest(method, w.URL+path, strings.NewReader(body))
	require.NoError(w.t, err)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	response, err := w.Client().Do(request)
	require.NoError(w.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(w.t, err)
	return reply{response.StatusCode, response.Header, string(text)}
}
