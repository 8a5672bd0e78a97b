package shell

import "errors"

// The outcomes of a call that has no result (X4). The public package documents them.
var (
	ErrNotApplied = errors.New("smr: not applied")
	ErrUnknown    = errors.New("smr: outcome unknown")
	ErrOverloaded = NotApplied("smr: overloaded")
)

// NotApplied returns an error with that text that is an ErrNotApplied.
func NotApplied(text string) error { return &notApplied{text} }

type notApplied struct{ text string }

func (e *notApplied) Error() string        { return e.text }
func (e *notApplied) Is(target error) bool { return target == ErrNotApplied }
