package main

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/smr-go/smr"
)

// refusal is the body of an answer that is not a success. Outcome is set if the client must know whether
// its write may have taken effect.
type refusal struct {
	Outcome string `json:"outcome,omitempty"`
	Error   string `json:"error"`
}

// refuse answers a request that the client must not repeat unchanged.
func refuse(w http.ResponseWriter, code int, text string) {
	respondJSON(w, code, refusal{Error: text})
}

// notApplied answers a request that had no effect and may be repeated.
func notApplied(w http.ResponseWriter, err error) {
	w.Header().Set("Retry-After", "1")
	respondJSON(w, http.StatusServiceUnavailable, refusal{"not applied", err.Error()})
}

// writeFailed answers a write that has no result. Unless the error shows that the write was not applied,
// it may have been.
func writeFailed(w http.ResponseWriter, err error) {
	var large tooLarge
	switch {
	case errors.As(err, &large), errors.Is(err, smr.ErrTooLarge):
		refuse(w, http.StatusRequestEntityTooLarge, err.Error())
	case errors.Is(err, errAnswer):
		refuse(w, http.StatusInternalServerError, err.Error())
	case errors.Is(err, smr.ErrNotApplied) && !errors.Is(err, smr.ErrUnknown):
		notApplied(w, err)
	default:
		respondJSON(w, http.StatusGatewayTimeout, refusal{"unknown", err.Error()})
	}
}

func respondJSON(w http.ResponseWriter, code int, v any) {
	expectReader(w)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // fails only if the client is gone
}
