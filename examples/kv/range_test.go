package main

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

func TestRange(t *testing.T) {
	w := newTestWeb(t)
	w.do("PUT", "/kv/b", "\xff\x00")
	w.do("PUT", "/kv/a%2F%22", "")
	w.do("PUT", "/kv/c", "3")
	w.do("PUT", "/kv/%ff", "4")

	all := w.do("GET", "/kv", "")
	assert.Equal(t, 200, all.code)
	assert.JSONEq(t, `[{"key":"a/\"","value":""},{"key":"b","value":"/wA="},{"key":"c","value":"Mw=="},
		{"key":"\ufffd","key_base64":"/w==","value":"NA=="}]`, all.body)
	assert.JSONEq(t, `[{"key":"b","value":"/wA="}]`, w.do("GET", "/kv?from=b&to=c", "").body)
	assert.JSONEq(t, `[{"key":"a/\"","value":""}]`, w.do("GET", "/kv?limit=1", "").body)
	assert.JSONEq(t, `[]`, w.do("GET", "/kv?from=c&to=b", "").body)
	assert.Equal(t, smr.Linearizable, w.group.level)
}

func TestRangesAreLimited(t *testing.T) {
	w := newTestWeb(t)
	for i := range maxLimit + 1 {
		w.group.store.pairs.ReplaceOrInsert(pair{Key: fmt.Sprint(i)})
	}
	for query, want := range map[string]int{"": 100, "?limit=250": 250, "?limit=1000": 1000, "?limit=99999999": 1000, "?limit=0": 0} {
		var pairs []rangePair
		require.NoError(t, json.Unmarshal([]byte(w.do("GET", "/kv"+query, "").body), &pairs))
		assert.Len(t, pairs, want, query)
	}
}
