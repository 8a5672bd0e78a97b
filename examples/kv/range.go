package main

import (
	"context"
	"net/http"
	"unicode/utf8"
)

// rangePair is a pair in the answer of GET /kv. JSON cannot represent a key that is not valid UTF-8: then
// Key has U+FFFD in place of the invalid bytes, and KeyBytes is the key.
type rangePair struct {
	Key      string `json:"key"`
	KeyBytes []byte `json:"key_base64,omitempty"`
	Value    []byte `json:"value"`
}

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
	found, err := s.db.scan(ctx, q.Get("from"), q.Get("to"), limit)
	if err != nil {
		notApplied(w, err)
		return
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
