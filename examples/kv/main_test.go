package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kv runs the program and returns its exit status, standard output and standard error.
func kv(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(t.Context(), args, &o, &e)
	return status, o.String(), e.String()
}

func TestHelpExitsWithZero(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"-h"}, {"--help"}, {"serve", "-h"}} {
		status, out, errs := kv(t, args...)
		assert.Zero(t, status)
		assert.Contains(t, out, "kv serve")
		assert.Empty(t, errs)
	}
}

func TestMistakesExitWithTwo(t *testing.T) {
	for _, args := range [][]string{{"server"}, {"serve"}, {"serve", "-wings"}} {
		status, out, errs := kv(t, args...)
		assert.Equal(t, 2, status)
		assert.Empty(t, out)
		assertOneLine(t, errs)
	}
}

func assertOneLine(t *testing.T, errs string) {
	t.Helper()
	assert.True(t, strings.HasPrefix(errs, "kv: "), errs)
	assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
	assert.True(t, strings.HasSuffix(errs, "\n"), errs)
}

// occupied returns an address on which a listener is open.
func occupied(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

func TestPortsInUse(t *testing.T) {
	taken := occupied(t)
	for what, args := range map[string][]string{
		"-http " + taken:      {"-members", "a=127.0.0.1:0", "-http", taken},
		"-members a=" + taken: {"-members", "a=" + taken, "-http", "127.0.0.1:0"},
		"-listen " + taken:    {"-members", "a=127.0.0.1:0", "-listen", taken, "-http", "127.0.0.1:0"},
	} {
		status, _, errs := kv(t, append([]string{"serve", "-id", "a", "-volatile"}, args...)...)
		assert.Equal(t, 1, status, errs)
		assertOneLine(t, errs)
		assert.Contains(t, errs, what)
		assert.Contains(t, errs, "stop what listens there, or give another port")
	}
}

func TestFilesThatCannotBeUsed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("no certificate"), 0o600))
	for says, args := range map[string][]string{
		"-cert /none": {"-volatile", "-cert", "/none", "-key", "/none", "-ca", "/none"},
		"in PEM":      {"-volatile", "-cert", file, "-key", file, "-ca", file},
	} {
		status, _, errs := kv(t, append([]string{"serve", "-id", "a", "-members", "a=127.0.0.1:0", "-http", "127.0.0.1:0"}, args...)...)
		assert.Equal(t, 1, status, errs)
		assertOneLine(t, errs)
		assert.Contains(t, errs, says)
	}
}

func TestStory(t *testing.T) {
	status, out, errs := kv(t)
	require.Zero(t, status, errs)
	assert.Regexp(t, `(?s) is the primary\.
.* is the primary now\. The first write without (\w) was accepted after .*
\w restarted from its directory with .*
Checked at a, b and c: of 2001 acknowledged writes, none is missing\.
$`, out)
	_, root, _ := strings.Cut(strings.SplitN(out, ".\n", 2)[0], "under ")
	assert.NoDirExists(t, root, "what was temporary is gone")
}
