package main

import (
	"context"
	"net/http"

	"github.com/smr-go/smr"
)

// statusJSON is the answer of GET /status: smr.Status in JSON.
type statusJSON struct {
	ID       smr.ID       `json:"id"`
	Phase    smr.Phase    `json:"phase"`
	Epoch    uint64       `json:"epoch"`
	View     uint64       `json:"view"`
	Primary  smr.ID       `json:"primary"`
	Op       uint64       `json:"op"`
	Commit   uint64       `json:"commit"`
	Applied  uint64       `json:"applied"`
	Snapshot uint64       `json:"snapshot"`
	Members  []memberJSON `json:"members"`
	Problem  string       `json:"problem"`
}

type memberJSON struct {
	ID   smr.ID `json:"id"`
	Addr string `json:"addr"`
}

func newStatusJSON(st smr.Status) statusJSON {
	members := make([]memberJSON, len(st.Members))
	for i, m := range st.Members {
		members[i] = memberJSON{m.ID, m.Addr}
	}
	return statusJSON{
		ID: st.ID, Phase: st.Phase, Epoch: st.Epoch, View: st.View, Primary: st.Primary, Op: st.Op,
		Commit: st.Commit, Applied: st.Applied, Snapshot: st.Snapshot, Members: members, Problem: st.Problem,
	}
}

func (s *server) serveStatus(w http.ResponseWriter, r *http.Request) {
	q, err := query(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	until, err := statusWait(q, s.timeout)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if until.wait > 0 {
		s.awaitView(r.Context(), until)
	}
	respondJSON(w, http.StatusOK, newStatusJSON(s.db.group.Status()))
}

// awaitView returns when the view is above until.after, the wait is over, the client is gone, or the
// server stops.
func (s *server) awaitView(ctx context.Context, until waiting) {
	ctx, cancel := context.WithTimeout(ctx, until.wait)
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	for st := range s.db.group.Watch(ctx) {
		if st.View > until.after || st.Phase == smr.Stopped {
			return
		}
	}
}
