package main

import (
	"io"
	"time"
)

// sink passes writes on to a writer, and never blocks: if the writer has not taken the last sinkWrites writes, sink drops
// further ones. A server must not stand still because nothing reads its standard error.
type sink struct {
	writes  chan []byte
	flushed chan struct{}
}

const (
	sinkWrites = 1000
	sinkTime   = time.Second // that flush waits at most
)

func newSink(w io.Writer) *sink {
	s := &sink{make(chan []byte, sinkWrites), make(chan struct{})}
	go func() {
		for b := range s.writes {
			if b == nil {
				close(s.flushed)
				return
			}
			_, _ = w.Write(b) // a failure can be reported nowhere else
		}
	}()
	return s
}

// Write implements io.Writer. It may be called concurrently.
func (s *sink) Write(b []byte) (int, error) {
	select {
	case s.writes <- append(make([]byte, 0, len(b)), b...):
	default:
	}
	return len(b), nil
}

// flush waits until the writer has taken everything, for a second at most. It is called once, at the end.
func (s *sink) flush() {
	limit := time.After(sinkTime)
	select {
	case s.writes <- nil:
	case <-limit:
		return
	}
	select {
	case <-s.flushed:
	case <-limit:
	}
}
