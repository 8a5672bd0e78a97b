package tcp

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
)

// refusal says why two members do not talk. It stands in the logs of both.
type refusal struct {
	reason string
	theirs bool // the other side refused
}

func (r *refusal) Error() string {
	if r.theirs {
		return "refused by the other side: " + r.reason
	}
	return "refused: " + r.reason
}

// ordinary reports whether an error is a connection that ended or could not be made, as they do
// when a replica stops, and not one side that is wrong.
func ordinary(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op != "remote error" && op.Op != "local error" // those are TLS alerts
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, context.Canceled)
}
