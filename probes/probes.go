// Package probes answers the health checks of load balancers, schedulers and people over HTTP.
package probes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"sync/atomic"
	"time"

	"github.com/smr-go/smr"
)

// Replica is the part of *smr.Replica that the probes use.
type Replica interface{ Health() smr.Health }

// Handler returns a handler that answers GET requests for paths that end with one of these names, so that it can be
// mounted anywhere. The answer is 200, or 503 with the reason in the body:
//
//   - livez: the replica's protocol loop runs. It does not depend on other members: restarting a replica
//     that lacks a quorum does no good.
//   - readyz: calls at this replica would succeed now.
//   - startupz: the replica has been ready once since Handler was called, as far as requests have seen.
//   - healthz: as readyz, with the whole smr.Health in JSON. Durations are in seconds.
//
// Other paths are answered with 404.
func Handler(r Replica) http.Handler { return &handler{replica: r} }

type handler struct {
	replica Replica
	started atomic.Bool
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, r.Method+" is not for probes: use GET", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	health := h.replica.Health()
	if health.Ready {
		h.started.Store(true)
	}
	switch path.Base(r.URL.Path) {
	case "livez":
		answer(w, health.Live, health.Problem)
	case "readyz":
		answer(w, health.Ready, health.Problem)
	case "startupz":
		answer(w, h.started.Load(), health.Problem)
	case "healthz":
		describe(w, health)
	default:
		http.Error(w, "there are livez, readyz, startupz and healthz", http.StatusNotFound)
	}
}

// answer answers a probe in words.
func answer(w http.ResponseWriter, ok bool, problem string) {
	if ok {
		fmt.Fprintln(w, "ok")
		return
	}
	if problem == "" {
		problem = "not yet"
	}
	http.Error(w, problem, http.StatusServiceUnavailable)
}

type healthJSON struct {
	Live      bool         `json:"live"`
	Ready     bool         `json:"ready"`
	Tolerance int          `json:"tolerance"`
	Problem   string       `json:"problem"`
	Members   []memberJSON `json:"members"`
}

type memberJSON struct {
	ID        smr.ID   `json:"id"`
	Silent    *float64 `json:"silent"` // seconds since the member was heard; null if it never was
	Sends     bool     `json:"sends"`
	Receives  bool     `json:"receives"`
	Behind    uint64   `json:"behind"`
	Unapplied uint64   `json:"unapplied"`
	Problem   string   `json:"problem"`
}

// describe answers with the whole health.
func describe(w http.ResponseWriter, h smr.Health) {
	out := healthJSON{Live: h.Live, Ready: h.Ready, Tolerance: h.Tolerance, Problem: h.Problem, Members: make([]memberJSON, len(h.Members))}
	for i, m := range h.Members {
		out.Members[i] = memberJSON{ID: m.ID, Sends: m.Sends, Receives: m.Receives, Behind: m.Behind, Unapplied: m.Unapplied, Problem: m.Problem}
		if !m.Heard.IsZero() {
			silent := time.Since(m.Heard).Seconds()
			out.Members[i].Silent = &silent
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if !h.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(out) // fails only if the client is gone
}
