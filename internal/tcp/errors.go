package tcp

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
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

// shortages are errors of a process or machine that has used up a resource.
var shortages = []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS}

// ordinary reports whether err only means that a connection ended or could not be established, as happens
// when a replica stops. Other errors mean that one side is set up wrongly, sent bad data, or lacks a resource.
func ordinary(err error) bool {
	if slices.ContainsFunc(shortages, func(shortage error) bool { return errors.Is(err, shortage) }) {
		return false
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op != "remote error" && op.Op != "local error" // those are TLS alerts
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, context.Canceled)
}

// reasonOf returns a key that is equal for errors that one warning covers, for instance for all damaged frames.
func reasonOf(err error) string {
	var damaged *frameError
	if errors.As(err, &damaged) {
		return "damaged"
	}
	return err.Error()
}
