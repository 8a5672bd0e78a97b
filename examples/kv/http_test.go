package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

func TestKeysAndValuesAreAnyBytes(t *testing.T) {
	w := newTestWeb(t)
	for _, key := range []string{"k", "a/b", "a//b", "/", "..", ".", "../../status", "%", "%2F", "a b+c?d#e", "\x00\xff", "schlüssel"} {
		path, value := "/kv/"+url.PathEscape(key), "value of "+key
		put := w.do("PUT", path, value)
		assert.Equal(t, 204, put.code, "%q", key)
		assert.Empty(t, put.body)

		get := w.do("GET", path, "")
		assert.Equal(t, 200, get.code, "%q", key)
		assert.Equal(t, value, get.body, "%q", key)
		assert.Equal(t, put.header.Get("Smr-Op"), get.header.Get("Smr-Op"))
		_, ok := w.group.store.get(key)
		assert.True(t, ok, "%q", key)
	}
}

func TestValuesAreReturnedAsWritten(t *testing.T) {
	w := newTestWeb(t)
	for _, value := range []string{"", "\x00\xff", "<html>", strings.Repeat("x", 1000_000)} {
		require.Equal(t, 204, w.do("PUT", "/kv/k", value, "Content-Type: application/x-www-form-urlencoded").code)
		get := w.do("GET", "/kv/k", "")
		assert.Equal(t, value, get.body)
		assert.Equal(t, "application/octet-stream", get.header.Get("Content-Type"))
	}
}

func TestDelete(t *testing.T) {
	w := newTestWeb(t)
	w.do("PUT", "/kv/k", "v")
	assert.Equal(t, 204, w.do("DELETE", "/kv/k", "").code)
	assert.Equal(t, 204, w.do("DELETE", "/kv/k", "").code, "present or not")
	get := w.do("GET", "/kv/k", "")
	assert.Equal(t, 404, get.code)
	assert.Equal(t, "6", get.header.Get("Smr-Op"))
}

func TestCompareAndSet(t *testing.T) {
	w := newTestWeb(t)
	missing := w.do("POST", "/kv/k?if=x", "1")
	assert.Equal(t, 409, missing.code)
	assert.Equal(t, "true", missing.header.Get("Smr-Absent"))
	assert.Empty(t, missing.body)

	w.do("PUT", "/kv/k", "\xff&+ 1")
	other := w.do("POST", "/kv/k?if=x", "2")
	assert.Equal(t, 409, other.code)
	assert.Equal(t, "\xff&+ 1", other.body)
	assert.Empty(t, other.header.Get("Smr-Absent"))

	assert.Equal(t, 204, w.do("POST", "/kv/k?if="+url.QueryEscape("\xff&+ 1"), "").code)
	assert.Equal(t, 204, w.do("POST", "/kv/k?if=", "3").code, "the empty value is a value")
	assert.Equal(t, "3", w.do("GET", "/kv/k", "").body)
}

func TestCreate(t *testing.T) {
	w := newTestWeb(t)
	assert.Equal(t, 204, w.do("POST", "/kv/k?absent=true", "1").code)
	again := w.do("POST", "/kv/k?absent=true", "2")
	assert.Equal(t, 409, again.code)
	assert.Equal(t, "1", again.body)
}

func TestTheSameRequestGetsTheSameAnswer(t *testing.T) {
	w := newTestWeb(t)
	first := w.do("POST", "/kv/k?absent=true", "1", "Smr-Request: r1")
	w.do("DELETE", "/kv/k", "", "Smr-Request: r2")
	second := w.do("POST", "/kv/k?absent=true", "1", "Smr-Request: r1")
	assert.Equal(t, 204, second.code)
	assert.Equal(t, first.header.Get("Smr-Op"), second.header.Get("Smr-Op"))
	assert.Equal(t, 404, w.do("GET", "/kv/k", "").code, "it had taken effect once")
}

func TestReadLevels(t *testing.T) {
	w := newTestWeb(t)
	for name, level := range map[string]smr.ReadLevel{
		"":                    smr.Linearizable,
		"?level=linearizable": smr.Linearizable,
		"?level=local":        smr.Local,
		"?level=atleast:17":   smr.AtLeast(17),
	} {
		require.Equal(t, 404, w.do("GET", "/kv/k"+name, "").code)
		assert.Equal(t, level, w.group.level, name)
	}
}

func TestWhatIsWrongWithARequest(t *testing.T) {
	w := newTestWeb(t)
	for request, code := range map[string]int{
		"GET /kv/":                     400,
		"PUT /kv/":                     400,
		"DELETE /kv/":                  400,
		"GET /kv/k?level=fast":         400,
		"GET /kv/k?level=":             400,
		"GET /kv/k?level=local:3":      400,
		"GET /kv/k?level=atleast":      400,
		"GET /kv/k?level=atleast:x":    400,
		"GET /kv/k?level=atleast:-1":   400,
		"GET /kv/k?level=%zz":          400,
		"POST /kv/k":                   400,
		"POST /kv/k?absent=1":          400,
		"POST /kv/k?absent=true&if=x":  400,
		"POST /kv/k?if=%zz":            400,
		"GET /kv?limit=x":              400,
		"GET /kv?limit=-1":             400,
		"GET /status?after=x":          400,
		"GET /status?after=1&wait=x":   400,
		"GET /status?after=1&wait=-1s": 400,
		"PATCH /kv/k":                  405,
		"PUT /kv":                      405,
		"POST /status":                 405,
		"DELETE /metrics":              405,
		"GET /":                        404,
		"GET /kvs":                     404,
		"GET /status/x":                404,
	} {
		method, path, _ := strings.Cut(request, " ")
		got := w.do(method, path, "")
		assert.Equal(t, code, got.code, request)
		var body refusal
		require.NoError(t, json.Unmarshal([]byte(got.body), &body), request)
		assert.NotEmpty(t, body.Error, request)
		assert.Empty(t, body.Outcome, request)
	}
	assert.Equal(t, 400, w.do("PUT", "/kv/k", "v", "Smr-Request: "+strings.Repeat("r", maxRequest+1)).code)
	assert.Zero(t, w.group.op, "nothing was proposed")
}

func TestBodiesAreLimited(t *testing.T) {
	w := newTestWeb(t)
	overhead := len(encode(command{Verb: put, Key: "k", Value: make([]byte, maxOp)})) - maxOp
	for size, code := range map[int]int{maxOp - overhead: 204, maxOp - overhead + 1: 413, maxOp: 413, maxOp + 1: 413, 3 * maxOp: 413} {
		got := w.do("PUT", "/kv/k", strings.Repeat("x", size))
		assert.Equal(t, code, got.code, "a body of %d bytes", size)
	}
	var body refusal
	require.NoError(t, json.Unmarshal([]byte(w.do("PUT", "/kv/k", strings.Repeat("x", maxOp)).body), &body))
	assert.Contains(t, body.Error, fmt.Sprint(maxOp))
}

func TestFailedWritesSayWhetherTheyMayHaveHappened(t *testing.T) {
	w := newTestWeb(t)
	for _, test := range []struct {
		err     error
		code    int
		outcome string
	}{
		{fmt.Errorf("%w: no primary", smr.ErrNotApplied), 503, "not applied"},
		{smr.ErrOverloaded, 503, "not applied"},
		{smr.ErrTooLarge, 413, ""},
		{fmt.Errorf("%w: %w", smr.ErrUnknown, context.DeadlineExceeded), 504, "unknown"},
		{fmt.Errorf("%w: %w", smr.ErrUnknown, smr.ErrOverloaded), 504, "unknown"},
		{errors.New("anything else"), 504, "unknown"},
	} {
		w.group.proposed = test.err
		got := w.do("PUT", "/kv/k", "v")
		assert.Equal(t, test.code, got.code, test.err.Error())
		assert.Equal(t, test.code == 503, got.header.Get("Retry-After") != "", test.err.Error())
		var body refusal
		require.NoError(t, json.Unmarshal([]byte(got.body), &body))
		assert.Equal(t, refusal{test.outcome, test.err.Error()}, body)
	}
}

func TestFailedReadsMayBeTriedAgain(t *testing.T) {
	w := newTestWeb(t)
	w.group.read = context.DeadlineExceeded
	for _, path := range []string{"/kv/k", "/kv"} {
		got := w.do("GET", path, "")
		assert.Equal(t, 503, got.code)
		assert.NotEmpty(t, got.header.Get("Retry-After"))
		assert.JSONEq(t, `{"outcome":"not applied","error":"context deadline exceeded"}`, got.body)
	}
}

func TestResultsOfAnotherVersion(t *testing.T) {
	recorded := httptest.NewRecorder()
	writeFailed(recorded, fmt.Errorf("%w: op 3", errAnswer))
	assert.Equal(t, 500, recorded.Code)
	assert.Contains(t, recorded.Body.String(), "same version")
}
