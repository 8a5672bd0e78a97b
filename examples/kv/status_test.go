package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

func TestStatus(t *testing.T) {
	got := newTestWeb(t).do("GET", "/status", "")
	assert.Equal(t, 200, got.code)
	assert.JSONEq(t, `{"id":"a","phase":"normal","epoch":1,"view":4,"primary":"b","op":9,"commit":8,"applied":7,"snapshot":6,
		"members":[{"id":"a","addr":"here:1"},{"id":"b","addr":"there:2"}],"problem":""}`, got.body)
}

func TestStatusWaitsForAView(t *testing.T) {
	w := newTestWeb(t)
	view := func(path string) uint64 {
		var st statusJSON
		require.NoError(t, json.Unmarshal([]byte(w.do("GET", path, "").body), &st))
		return st.View
	}
	assert.EqualValues(t, 4, view("/status?after=3&wait=1h"), "already above")
	assert.EqualValues(t, 4, view("/status?after=4&wait=1ms"), "the wait is over")

	ask := func(path string) <-chan uint64 {
		answered := make(chan uint64, 1)
		go func() {
			defer close(answered)
			answered <- view(path)
		}()
		return answered
	}
	answered := ask("/status?after=4&wait=1h")
	w.group.statuses <- smr.Status{View: 4, Op: 10}
	w.group.statuses <- smr.Status{View: 5}
	assert.EqualValues(t, 5, <-answered)

	answered = ask("/status?after=5")
	w.group.statuses <- smr.Status{View: 5, Op: 11} // the client is waiting now
	w.stop()
	assert.EqualValues(t, 5, <-answered, "the server stops")
}

func TestStatusOfAStoppedReplicaIsNotWaitedFor(t *testing.T) {
	w := newTestWeb(t)
	w.group.status.Phase = smr.Stopped
	assert.Equal(t, 200, w.do("GET", "/status?after=100&wait=1h", "").code)
}
