//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

func TestSIGTERMHandsOver(t *testing.T) {
	c := newCluster(t)
	primary, view := c.awaitPrimary()
	c.must(204, primary, "PUT", "/kv/k", "v")
	primary.signal(syscall.SIGTERM)
	assert.Zero(t, primary.exit())

	next, later := c.awaitPrimary()
	assert.NotEqual(t, primary.id, next.id)
	assert.Greater(t, later, view)
	assert.Equal(t, "v", c.must(200, next, "GET", "/kv/k", ""))
}

// When a whole group is stopped, the last replica has no other to hand over to, and logs no warning.
func TestSIGTERMOfAll(t *testing.T) {
	c := newCluster(t)
	primary, _ := c.awaitPrimary()
	c.must(204, primary, "PUT", "/kv/k", "v")
	for _, p := range c.processes {
		p.signal(syscall.SIGTERM)
	}
	for _, p := range c.processes {
		assert.Zero(t, p.exit())
		assert.NotRegexp(t, `\[(WARN|ERROR)\].* role`, p.logs.String())
	}
}

func TestSIGINTOfABackup(t *testing.T) {
	c := newCluster(t)
	primary, view := c.awaitPrimary()
	backup := c.other(primary)
	backup.signal(syscall.SIGINT)
	assert.Zero(t, backup.exit())

	c.must(204, primary, "PUT", "/kv/k", "v")
	_, later := c.awaitPrimary()
	assert.Equal(t, view, later, "the primary goes on")
}

func TestDataSurvivesTheDeathOfAll(t *testing.T) {
	c := newCluster(t, "-snapshot-every", "10")
	for i := range 35 {
		c.must(204, c.processes[i%3], "PUT", fmt.Sprint("/kv/k", i), fmt.Sprint(i))
	}
	for _, p := range c.processes {
		p.kill()
	}
	for _, p := range c.processes {
		p.start()
	}
	for i := range 35 {
		assert.Equal(t, fmt.Sprint(i), c.must(200, c.processes[i%3], "GET", fmt.Sprint("/kv/k", i), ""))
	}
}

func TestWithoutAQuorum(t *testing.T) {
	c := newCluster(t)
	last := c.processes[1]
	c.must(204, last, "PUT", "/kv/k", "before")
	c.processes[0].kill()
	c.processes[2].kill()

	c.must(503, last, "GET", "/kv/k", "")
	c.must(503, last, "GET", "/kv", "")
	assert.Equal(t, "before", c.must(200, last, "GET", "/kv/k?level=local", ""))
	code, answer := c.ask(last, "PUT", "/kv/k", "after")
	outcomes := map[int]string{503: "not applied", 504: "unknown"}
	require.Contains(t, outcomes, code, answer)
	assert.Contains(t, answer, fmt.Sprintf(`"outcome":%q`, outcomes[code]))

	c.processes[0].start()
	c.must(204, last, "PUT", "/kv/k", "after")
	assert.Equal(t, "after", c.must(200, c.processes[0], "GET", "/kv/k", ""))
}

func TestVolatileGroup(t *testing.T) {
	c := newCluster(t, "-dir=", "-volatile")
	c.must(204, c.processes[0], "PUT", "/kv/k", "v")
	assert.Equal(t, "v", c.must(200, c.processes[2], "GET", "/kv/k", ""))
	assert.NoDirExists(t, c.processes[0].dir)
}

func TestGroupOverMutualTLS(t *testing.T) {
	a := newAuthority(t)
	for _, id := range []smr.ID{"a", "b", "c"} {
		a.issue(id)
	}
	c := newCluster(t, "-cert", a.path("{id}.crt"), "-key", a.path("{id}.key"), "-ca", a.path("ca.crt"))
	c.must(204, c.processes[0], "PUT", "/kv/k", "v")
	assert.Equal(t, "v", c.must(200, c.processes[2], "GET", "/kv/k", ""))
}

func TestDirectoriesThatCannotBeUsed(t *testing.T) {
	c := newCluster(t)
	c.must(204, c.processes[0], "PUT", "/kv/k", "v")
	a, b, dead := c.processes[0], c.processes[1], c.processes[2]
	dead.kill()
	b.kill()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))

	for what, attempt := range map[string]struct {
		as    *process
		dir   string
		names string // what the error must name
	}{
		"in use":             {a, a.dir, a.dir},
		"of another replica": {dead, b.dir, b.dir},
		"a file":             {dead, file, file},
		"below a file":       {dead, filepath.Join(file, "x"), file},
	} {
		p := &process{t: t, id: attempt.as.id, logs: new(bytes.Buffer)}
		p.args = append(append(p.args, attempt.as.args...), "-dir", attempt.dir,
			"-http", "127.0.0.1:0", "-listen", "127.0.0.1:0", "-log-level", "off")
		p.start()
		t.Cleanup(p.end)
		assert.Equal(t, 1, p.exit(), what)
		assertOneLine(t, p.logs.String())
		assert.Contains(t, p.logs.String(), attempt.names, what)
	}
}
