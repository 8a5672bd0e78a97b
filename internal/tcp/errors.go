package tcp

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
)

// refusal is the reason why one member refused to talk to the other. Both log it.
type refusal struct {
	reason string
	theirs bool // the other side refused
}

// Error implements error.
func (r *refusal) Error() string {
	if r.theirs {
		return "refused by the other side: " + r.reason
	}
	return "refused: " + r.reason
}

// ordinary reports whether err only means that a connection ended or could not be established, as happens
// when a replica stops. Other errors mean that one side is set up wrongly or sent bad data.
func ordinary(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op != "remote error" && op.Op != "local error" // those are TLS alerts
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, context.Canceled)
}
