package smr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// F13. The process has no descriptors left for a while. The replicas refuse operations with that reason, serve reads,
// and go on without a restart.
func TestProcessWithoutDescriptors(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		g, disks := NewNetwork(), map[ID]string{}
		members := []Member{{ID: "a"}, {ID: "b"}, {ID: "c"}}
		var replicas []*Replica
		for _, m := range members {
			disks[m.ID] = dir + "/" + string(m.ID)
			r, err := Start(Config{ID: m.ID, Members: members, StateMachine: nothing{}, Transport: g.Transport(m.ID),
				Dir: disks[m.ID], SnapshotBytes: 64 << 10})
			require.NoError(t, err)
			defer r.Close()
			replicas = append(replicas, r)
		}
		_, err := replicas[0].Propose(t.Context(), []byte("before"))
		require.NoError(t, err)

		restore := withoutDescriptors(t)
		defer restore()
		refused := 0
		for i := 0; refused < 10 && i < 1000; i++ {
			// Those that found the shortage wait for its end.
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := replicas[i%3].Propose(ctx, bytes.Repeat([]byte("x"), 4<<10))
			if cancel(); errors.Is(err, ErrNotApplied) {
				refused++
			}
		}
		require.Equal(t, 10, refused)
		time.Sleep(6 * time.Second)
		for _, r := range replicas {
			require.NoError(t, r.Err())
			require.Contains(t, r.Status().Problem, "too many open files")
			require.NoError(t, r.Read(t.Context(), Local, func() {}))
			require.NoError(t, r.Read(t.Context(), Linearizable, func() {}))
		}
		restore()
		for _, r := range replicas {
			for s := range r.Watch(t.Context()) {
				if s.Problem == "" {
					break
				}
			}
		}
		for i := range 30 {
			_, err := replicas[i%3].Propose(t.Context(), []byte(strings.Repeat("y", 4<<10)+fmt.Sprint(i)))
			require.NoError(t, err)
		}
	})
}

// withoutDescriptors takes the process's free descriptors away, until the function that it returns is called.
func withoutDescriptors(t *testing.T) (restore func()) {
	var was syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was))
	f, err := os.Open(os.DevNull)
	require.NoError(t, err)
	now := syscall.Rlimit{Cur: uint64(f.Fd()), Max: was.Max} // the lowest that is free
	require.NoError(t, f.Close())
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &now))
	return func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was)) }
}
