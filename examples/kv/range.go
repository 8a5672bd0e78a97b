package main

import (
	"context"
	"net/http"
	"net/url"
	"unicode/utf8"
)

// rangePair is a pair in the answer of GET /kv. JSON cannot represent a key that is not valid UTF-8: then
// Key has U+FFFD in place of the invalid bytes, and KeyBytes is the key.
type rangePair struct {
	Key      string `json:"key"`
	KeyBytes []byte `json:"key_base64,omitempty"`
	Value    []byte `json:"value"`
}

// rangeBytes is the number of bytes that the pairs of an answer may have; a single pair may have more.
const rangeBytes = 1 << 20

// pairBytes is the number of bytes that a pair counts in a range. A key takes up to 8 times its bytes in
// JSON.
func pairBytes(p pair) int { return 64 + 8*len(p.Key) + len(p.Value) }

func (s *server) serveRange(w http.ResponseWriter, r *http.Request) {
	q, err := query(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	limit, err := pairLimit(q)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.timeout)
	defer cancel()
	found, next, more, err := s.db.scan(ctx, q.Get("from"), q.Get("to"), limit)
	if err != nil {
		notApplied(w, err)
		return
	}
	size := 0
	for _, p := range found {
		size += pairBytes(p)
	}
	free := s.reserve(w, 4*int64(size)) // the values, and their JSON while its buffer grows
	if free == nil {
		return
	}
	defer free()
	if more {
		w.Header().Set("Smr-Next", url.QueryEscape(next))
	}
	respondJSON(w, http.StatusOK, rangePairs(found))
}

func rangePairs(found []pair) []rangePair {
	pairs := make([]rangePair, len(found)) // not nil, so that an empty range is [] and not null
	for i, p := range found {
		pairs[i] = rangePair{Key: p.Key, Value: p.Value}
		if p.Value == nil {
			pairs[i].Value = []byte{} // so that an empty value is "" and not null
		}
		if !utf8.ValidString(p.Key) {
			pairs[i].KeyBytes = []byte(p.Key)
		}
	}
	return pairs
}
