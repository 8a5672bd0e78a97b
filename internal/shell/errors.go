package shell

import (
	"errors"
	"fmt"
	"strings"
)

// The outcomes of a call that has no result (X4). The public package documents them.
var (
	ErrNotApplied = errors.New("smr: not applied")
	ErrUnknown    = errors.New("smr: outcome unknown")
	ErrOverloaded = NotApplied("smr: overloaded")
	ErrNoResult   = fmt.Errorf("%w: the operation was applied, but its result is lost", ErrUnknown)
)

// Causes of the error of a call, and errors of a read. The public package documents them.
var (
	ErrClosed  = errors.New("smr: replica closed")
	ErrNoState = errors.New("smr: no state of the group") // the replica is not in its group
)

// NotApplied returns an error with that text that is an ErrNotApplied.
func NotApplied(text string) error { return &notApplied{text} }

type notApplied struct{ text string }

func (e *notApplied) Error() string        { return e.text }
func (e *notApplied) Is(target error) bool { return target == ErrNotApplied }

// Because returns an error that is both err and cause. Its text begins with "smr:" once, although those of err and cause
// may both do so.
func Because(err, cause error) error { return &because{err, cause} }

type because struct{ err, cause error }

func (e *because) Error() string {
	return e.err.Error() + ": " + strings.TrimPrefix(e.cause.Error(), "smr: ")
}

func (e *because) Unwrap() []error { return []error{e.err, e.cause} }

// panicError reports a panic of the user's code. Callers get the text, and the log gets the stack too.
type panicError struct {
	text  string
	stack []byte
}

func (e *panicError) Error() string { return e.text }

// Stack returns the stack of the panic that err reports, "" if err reports none.
func Stack(err error) string {
	var p *panicError
	if errors.As(err, &p) {
		return string(p.stack)
	}
	return ""
}
