package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// server answers HTTP requests through one replica. It does not use http.ServeMux, which would rewrite
// paths with keys such as ".." and "a//b".
type server struct {
	db       *db
	timeout  time.Duration   // of a request, while it waits for the group
	stopping context.Context // ends when the server shuts down
	metrics  *metrics
	budget   *budget
	probes   http.Handler
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer requestEnds(r)
	key, ofKey := strings.CutPrefix(r.URL.Path, "/kv/")
	switch {
	case ofKey:
		s.metrics.observe(w, r, func(w http.ResponseWriter) { s.serveKey(w, r, key) })
	case r.URL.Path == "/kv":
		s.metrics.observe(w, r, func(w http.ResponseWriter) { s.only(w, r, s.serveRange) })
	case r.URL.Path == "/status":
		s.only(w, r, s.serveStatus)
	case r.URL.Path == "/metrics":
		s.only(w, r, s.serveMetrics)
	case r.URL.Path == "/livez", r.URL.Path == "/readyz", r.URL.Path == "/startupz", r.URL.Path == "/healthz":
		s.probes.ServeHTTP(w, r)
	default:
		refuse(w, http.StatusNotFound, "there are /kv/{key}, /kv, /status, /metrics, /livez, /readyz, /startupz and /healthz")
	}
}

// only serves GET and refuses other methods.
func (s *server) only(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET")
		refuse(w, http.StatusMethodNotAllowed, r.Method+" is not for "+r.URL.Path+": use GET")
		return
	}
	serve(w, r)
}

func (s *server) serveKey(w http.ResponseWriter, r *http.Request, key string) {
	switch {
	case key == "":
		refuse(w, http.StatusBadRequest, "the key is empty: /kv/{key}")
	case r.Method == http.MethodGet:
		s.serveRead(w, r, key)
	case r.Method == http.MethodPut, r.Method == http.MethodPost, r.Method == http.MethodDelete:
		s.serveWrite(w, r, key)
	default:
		w.Header().Set("Allow", "GET, PUT, POST, DELETE")
		refuse(w, http.StatusMethodNotAllowed, r.Method+" is not for a key: use GET, PUT, POST or DELETE")
	}
}

func (s *server) serveRead(w http.ResponseWriter, r *http.Request, key string) {
	level, err := readLevel(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.timeout)
	defer cancel()
	v, err := s.db.get(ctx, level, key)
	if err != nil {
		notApplied(w, err)
		return
	}
	setOp(w, v.op)
	if !v.present {
		refuse(w, http.StatusNotFound, "there is no such key")
		return
	}
	if free := s.reserve(w, int64(len(v.value))); free != nil {
		defer free()
		respond(w, http.StatusOK, v.value)
	}
}

func (s *server) serveWrite(w http.ResponseWriter, r *http.Request, key string) {
	c, err := writeCommand(r, key)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	size := min(r.ContentLength, maxOp)
	if size < 0 {
		size = maxOp
	}
	free := s.reserve(w, 3*(size+int64(len(c.Old)))) // the body, its encoding and the copy that Propose makes
	if free == nil {
		return
	}
	defer free()
	// The command is proposed only after the whole body has arrived.
	if c.Value, err = readBody(w, r, size); err != nil {
		refuseBody(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.timeout)
	defer cancel()
	a, err := s.db.write(ctx, c)
	if err != nil {
		writeFailed(w, err)
		return
	}
	respondAnswer(w, a)
}

// readBody reads a body of about size bytes, which must arrive within bodyTime.
func readBody(w http.ResponseWriter, r *http.Request, size int64) ([]byte, error) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTime)) // fails only if the connection is gone
	defer func() { _ = control.SetReadDeadline(time.Time{}) }()
	if r.ContentLength < 0 {
		return io.ReadAll(http.MaxBytesReader(w, r.Body, maxOp))
	}
	b := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	_, err := b.ReadFrom(http.MaxBytesReader(w, r.Body, maxOp))
	return b.Bytes(), err
}

func respondAnswer(w http.ResponseWriter, a answer) {
	setOp(w, a.Op)
	switch a.Outcome {
	case done:
		w.WriteHeader(http.StatusNoContent)
	case absent:
		w.Header().Set("Smr-Absent", "true")
		w.WriteHeader(http.StatusConflict)
	case differs:
		respond(w, http.StatusConflict, a.Value)
	}
}

// respond sends a value unchanged.
func respond(w http.ResponseWriter, code int, value []byte) {
	expectReader(w)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(value)))
	w.WriteHeader(code)
	_, _ = w.Write(value) // fails only if the client is gone
}

// expectReader gives the client answerTime to read the answer.
func expectReader(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime)) // fails only if the connection is gone
}

func setOp(w http.ResponseWriter, op uint64) {
	w.Header().Set("Smr-Op", strconv.FormatUint(op, 10))
}

func refuseBody(w http.ResponseWriter, err error) {
	var over *http.MaxBytesError
	if errors.Is(err, errBusy) {
		notApplied(w, errBusy)
		return
	}
	if errors.As(err, &over) {
		refuse(w, http.StatusRequestEntityTooLarge, "the body is over "+strconv.FormatInt(over.Limit, 10)+" bytes: store less under one key")
		return
	}
	refuse(w, http.StatusBadRequest, "reading the body: "+err.Error())
}
