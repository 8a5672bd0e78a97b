package sim

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/wal"
)

// F6, F11, F12: an error is excused only if the present fault of the disk explains it.
func TestOnlyErrorsOfTheDiskAreExcused(t *testing.T) {
	for _, x := range []struct {
		name    string
		rotten  bool
		err     error
		excused bool
	}{
		{"a failed sync", false, fmt.Errorf("save: %w", errFaulty), true},
		{"a bug after a failed sync", false, errors.New("save: index out of range"), false},
		{"rot in the log", true, &wal.CorruptError{}, true},
		{"rot in a snapshot", true, fmt.Errorf("chunk: %w", snap.ErrCorrupt), true},
		{"a bug on a rotten disk", true, wal.ErrCompacted, false},
		{"rot where there is none", false, &wal.CorruptError{}, false},
	} {
		for what, meet := range map[string]func(p *process){
			"fatal":    func(p *process) { p.Fail(x.err) },
			"survived": func(p *process) { p.Note(shell.Note{Text: "a chunk", Err: x.err}) },
		} {
			s, err := New(Calm(1), listWork(10, 0, 0), nil)
			require.NoError(t, err)
			require.NoError(t, s.strike(fault.Fault{Kind: fault.FailReads, For: time.Second}))
			s.hosts[0].faults.rotten = x.rotten
			meet(&process{s: s, h: s.hosts[0]})
			assert.Equal(t, x.excused, s.Violation() == nil, "%s: %s", what, x.name)
		}
	}
}
