package vfs

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const lockVariable = "SMR_TEST_LOCK"

// TestMain lets the test binary act as a second process that holds a lock until its input ends.
func TestMain(m *testing.M) {
	name := os.Getenv(lockVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	_, err := OS().Lock(name)
	fmt.Println("locked", err)
	bufio.NewReader(os.Stdin).ReadString('\n')
}

// A lock excludes other processes, and ends with its process even if that is killed.
func TestLockBetweenProcesses(t *testing.T) {
	name := filepath.ToSlash(filepath.Join(t.TempDir(), "lock"))
	other := exec.Command(os.Args[0])
	other.Env = append(os.Environ(), lockVariable+"="+name)
	in, err := other.StdinPipe()
	require.NoError(t, err)
	defer in.Close()
	out, err := other.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, other.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "locked <nil>\n", line)

	_, err = OS().Lock(name)
	assert.ErrorIs(t, err, ErrLocked)
	require.NoError(t, other.Process.Kill())
	other.Wait()
	lock, err := OS().Lock(name)
	require.NoError(t, err)
	require.NoError(t, lock.Close())
}

func TestOSErrorsNameThePath(t *testing.T) {
	dir := filepath.ToSlash(t.TempDir())
	_, err := OS().OpenFile(dir+"/none", 0)
	assert.ErrorContains(t, err, "none")
	_, err = OS().ReadDir(dir + "/none")
	assert.ErrorContains(t, err, "none")
	f := create(t, OS(), dir+"/closed")
	require.NoError(t, f.Close())
	assert.Error(t, f.Sync())
	assert.ErrorIs(t, f.Allocate(5), os.ErrClosed)
}

func TestFilesAreTheirOwnersAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	dir := filepath.ToSlash(t.TempDir())
	require.NoError(t, OS().MkdirAll(dir+"/d"))
	create(t, OS(), dir+"/d/f")
	for name, want := range map[string]os.FileMode{"d": 0o700, "d/f": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, want, info.Mode().Perm(), name)
	}
}

// Writing zeros, for file systems without fallocate, has the effect of Allocate.
func TestFillIsAllocate(t *testing.T) {
	f := create(t, OS(), filepath.ToSlash(t.TempDir())+"/f")
	write(t, f, 0, "hello")
	require.NoError(t, fill(f.(*osFile).File, 5, 300_000))
	assert.Equal(t, "hello"+string(make([]byte, 299_995)), content(t, f))
}
