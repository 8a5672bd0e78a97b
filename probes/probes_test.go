package probes

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

// replica is a replica whose health the test sets.
type replica struct{ now smr.Health }

func (r *replica) Health() smr.Health { return r.now }

var _ Replica = (*smr.Replica)(nil)

// get returns the status code and the body that a request is answered with.
func get(h http.Handler, method, path string) (code int, body string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Code, w.Body.String()
}

func TestProbes(t *testing.T) {
	r := &replica{}
	h := Handler(r)
	probe := func(name string) string {
		code, body := get(h, http.MethodGet, "/any/where/"+name)
		return http.StatusText(code) + ": " + body
	}
	r.now = smr.Health{Live: true, Problem: "the group has not formed"}
	assert.Equal(t, "OK: ok\n", probe("livez"))
	assert.Equal(t, "Service Unavailable: the group has not formed\n", probe("readyz"))
	assert.Equal(t, "Service Unavailable: the group has not formed\n", probe("startupz"))
	r.now = smr.Health{Live: true, Ready: true, Problem: "c has not been heard"}
	assert.Equal(t, "OK: ok\n", probe("readyz"))
	assert.Equal(t, "OK: ok\n", probe("startupz"))
	r.now = smr.Health{Live: true} // a view change
	assert.Equal(t, "Service Unavailable: not yet\n", probe("readyz"))
	assert.Equal(t, "OK: ok\n", probe("startupz"), "the replica has started")
	r.now = smr.Health{Problem: "the protocol loop has not run"}
	assert.Equal(t, "Service Unavailable: the protocol loop has not run\n", probe("livez"))
	assert.Equal(t, "Not Found: there are livez, readyz, startupz and healthz\n", probe("health"))
	code, _ := get(h, http.MethodPost, "/livez")
	assert.Equal(t, http.StatusMethodNotAllowed, code)
}

func TestHealthInJSON(t *testing.T) {
	r := &replica{smr.Health{Live: true, Ready: true, Tolerance: 1, Members: []smr.MemberHealth{
		{ID: "a", Heard: time.Now().Add(-time.Hour), Sends: true, Behind: 3}, {ID: "b", Unapplied: 4, Problem: "slow"}}}}
	code, body := get(Handler(r), http.MethodGet, "/healthz")
	require.Equal(t, http.StatusOK, code)
	var got healthJSON
	require.NoError(t, json.Unmarshal([]byte(body), &got))
	require.NotNil(t, got.Members[0].Silent)
	assert.GreaterOrEqual(t, *got.Members[0].Silent, 3600.0)
	got.Members[0].Silent = nil
	assert.Equal(t, healthJSON{Live: true, Ready: true, Tolerance: 1, Members: []memberJSON{
		{ID: "a", Sends: true, Behind: 3}, {ID: "b", Unapplied: 4, Problem: "slow"}}}, got)
	r.now.Ready = false
	code, _ = get(Handler(r), http.MethodGet, "/healthz")
	assert.Equal(t, http.StatusServiceUnavailable, code)
}
