package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/smr-go/smr"
)

// buckets holds the upper bounds of the histogram of latencies, in seconds.
var buckets = [...]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// answered identifies the answers that are counted together.
type answered struct {
	method string
	code   int
}

// metrics counts requests for keys. Its methods may be called concurrently.
type metrics struct {
	mu      sync.Mutex
	answers map[answered]uint64
	within  [len(buckets)]uint64 // number of requests by the first bucket that they fit into
	total   uint64
	seconds float64 // total of all requests
}

func newMetrics() *metrics { return &metrics{answers: map[answered]uint64{}} }

// recorder is an http.ResponseWriter that records the status of the answer.
type recorder struct {
	http.ResponseWriter
	code int
}

func (r *recorder) WriteHeader(code int) {
	r.code = code
	r.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// observe calls serve and counts the request with its answer and latency.
func (m *metrics) observe(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter)) {
	began := time.Now()
	recorded := &recorder{w, http.StatusOK}
	serve(recorded)
	m.add(answered{methodLabel(r.Method), recorded.code}, time.Since(began).Seconds())
}

func (m *metrics) add(a answered, seconds float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers[a]++
	m.total++
	m.seconds += seconds
	if i, _ := slices.BinarySearch(buckets[:], seconds); i < len(buckets) {
		m.within[i]++
	}
}

// methodLabel returns the label of a method. Clients may send any method, so unknown ones share a label.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete:
		return method
	}
	return "other"
}

func (s *server) serveMetrics(w http.ResponseWriter, _ *http.Request) {
	var text bytes.Buffer
	s.metrics.write(&text)
	writeStatus(&text, s.db.group.Status())
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(text.Bytes())
}

func (m *metrics) write(w io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	family(w, "kv_requests_total", "counter", "Requests for keys, by method and status.")
	byLabel := func(a, b answered) int { return cmp.Or(cmp.Compare(a.method, b.method), a.code-b.code) }
	for _, a := range slices.SortedFunc(maps.Keys(m.answers), byLabel) {
		fmt.Fprintf(w, "kv_requests_total{method=%q,code=\"%d\"} %d\n", a.method, a.code, m.answers[a])
	}
	family(w, "kv_request_seconds", "histogram", "How long requests for keys took.")
	var sum uint64
	for i, bound := range buckets {
		sum += m.within[i]
		fmt.Fprintf(w, "kv_request_seconds_bucket{le=%q} %d\n", strconv.FormatFloat(bound, 'g', -1, 64), sum)
	}
	fmt.Fprintf(w, "kv_request_seconds_bucket{le=\"+Inf\"} %d\n", m.total)
	fmt.Fprintf(w, "kv_request_seconds_sum %g\nkv_request_seconds_count %d\n", m.seconds, m.total)
}

func writeStatus(w io.Writer, st smr.Status) {
	gauge(w, "smr_epoch", "Epoch of the group, 0 before it is formed.", st.Epoch)
	gauge(w, "smr_view", "View: rises with every change of primary.", st.View)
	gauge(w, "smr_op", "Last operation in the log.", st.Op)
	gauge(w, "smr_commit", "Highest operation known to be committed.", st.Commit)
	gauge(w, "smr_applied", "Highest operation applied.", st.Applied)
	gauge(w, "smr_snapshot", "Last operation of the latest snapshot, 0 if there is none.", st.Snapshot)
	gauge(w, "smr_members", "Members of the group.", uint64(len(st.Members)))
	gauge(w, "smr_primary", "1 if this replica is the primary.", bit(st.Primary == st.ID))
	gauge(w, "smr_problem", "1 if the replica does not work as it should; /status says why.", bit(st.Problem != ""))
	family(w, "smr_phase", "gauge", "1 for the phase that the replica is in.")
	for _, phase := range []smr.Phase{smr.Forming, smr.Outside, smr.ViewChange, smr.Normal, smr.Stopped} {
		fmt.Fprintf(w, "smr_phase{phase=%q} %d\n", phase, bit(phase == st.Phase))
	}
}

func gauge(w io.Writer, name, help string, value uint64) {
	family(w, name, "gauge", help)
	fmt.Fprintf(w, "%s %d\n", name, value)
}

func family(w io.Writer, name, kind, help string) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
