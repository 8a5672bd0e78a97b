package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBlocks(t *testing.T) {
	all, err := blocks("# smr\n\n```go\nfunc main() {}\n```\ntext ```sh inline\n```sh\ngo test ./...\n\necho two\n```\n\n````sh norun\nrm -rf /\n```\n````\n```sh\n```\n")
	require.NoError(t, err)
	require.Equal(t, []block{
		{line: 8, commands: []string{"go test ./...", "", "echo two"}},
		{line: 14, norun: true, commands: []string{"rm -rf /", "```"}},
		{line: 18},
	}, all)
	_, err = blocks("```sh\necho\n")
	require.ErrorContains(t, err, "not closed")
}

func TestRun(t *testing.T) {
	for _, c := range []struct{ text, must, says string }{
		{"```sh\ntrue\necho done\n```\n", "true", ""},
		{"```sh norun\nfalse\n```\n", "", ""},
		{"```sh\nfalse\ntrue\n```\n", "", "README.md:2: exit status 1"},
		{"```sh\nfalse | true\n```\n", "", "README.md:2: exit status 1"},
		{"```sh\necho $NO_SUCH_VARIABLE\n```\n", "", "README.md:2: exit status"},
		{"```sh\nread x </dev/zero\n```\n", "", "timeout after 100ms"},
		{"```sh norun\ntrue\n```\n", "true", `no block that is run has the line "true"`},
	} {
		path := filepath.Join(t.TempDir(), "README.md")
		require.NoError(t, os.WriteFile(path, []byte(c.text), 0o666))
		timeout := time.Minute
		if c.says == "timeout after 100ms" {
			timeout = 100 * time.Millisecond
		}
		err := run(path, c.must, timeout)
		if c.says == "" {
			require.NoError(t, err, c.text)
		} else {
			require.ErrorContains(t, err, c.says, c.text)
		}
	}
	require.ErrorIs(t, run(filepath.Join(t.TempDir(), "README.md"), "", 0), os.ErrNotExist)
}
