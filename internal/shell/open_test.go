package shell

import (
	"io"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// Restore ends the goroutine that opens the shell, as a test's FailNow does: the directory is free again.
func TestOpenIsUndoneIfRestoreExits(t *testing.T) {
	g := newGroup(t, 1, everyTenOps)
	n := g.nodes[0]
	n.fill(12, "op ")
	g.run()
	require.NotZero(t, n.state.Snapshot)
	n.shell.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.user.restore = func(io.Reader) error { runtime.Goexit(); return nil }
		Open(g.config(0), g.now)
	}()
	<-done
	g.start(0)
	require.Len(t, n.user.items, 10)
}
