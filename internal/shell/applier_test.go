package shell

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// bench is an applier alone.
type bench struct {
	node
	a    *Applier
	next vsr.OpNumber // op of the next entry
}

// session is the op that opens the session of the applier's process.
const session = 2

// newApplier returns an applier whose session is open.
func newApplier(t *testing.T) *bench {
	b := &bench{node: node{disk: vfs.NewMem()}, next: session + 1}
	snapshots, err := snap.Open(b.disk, SnapshotDir, snap.Options{Identity: "group", ChunkSize: snap.MinChunkSize})
	require.NoError(t, err)
	b.shell = &Shell{Snapshots: snapshots, driver: b}
	b.a = &b.shell.Applier
	*b.a = Applier{driver: b, shell: b.shell, user: &b.user, self: vsr.Member{ID: "a"}, start: 1}
	members := vsr.NewMembership([]vsr.Member{{ID: "a"}})
	open := vsr.Entry{Op: session, Epoch: 1, Kind: vsr.OpenSession, Body: append([]byte{1, 'a'}, make([]byte, 17)...)}
	open.Body[len(open.Body)-1] = 1
	b.a.Add(Job{Entries: []vsr.Entry{{Op: 1, Epoch: 1, Kind: vsr.Formation, Body: members.Encode()}, open}})
	done, err := b.a.Step()
	require.NoError(t, err)
	require.Equal(t, Applied{Op: session, Session: session, Results: done.Results}, *done)
	require.Empty(t, done.Results)
	return b
}

// commands returns n commands of the applier's session.
func (b *bench) commands(n int) (entries []vsr.Entry) {
	for range n {
		request := uint64(b.next - session)
		entries = append(entries, vsr.Entry{Op: b.next, Epoch: 1, Kind: vsr.Command, Session: session, Request: request,
			Body: fmt.Append(nil, "op ", b.next)})
		b.next++
	}
	return entries
}

// steps runs all steps and returns the ops that they reported.
func (b *bench) steps(t *testing.T) (ops []vsr.OpNumber) {
	for !b.a.Idle() {
		done, err := b.a.Step()
		require.NoError(t, err)
		if done != nil {
			ops = append(ops, done.Op)
		}
	}
	return ops
}

// One step applies at most 32 operations, so that readers may look at the state between; a step reports how far it
// came, and the results in order.
func TestApplierWorksInBatches(t *testing.T) {
	b := newApplier(t)
	b.a.Add(Job{Entries: b.commands(70)})
	b.a.Add(Job{Entries: b.commands(2)})
	for _, n := range []int{32, 32, 6, 2} {
		from := b.a.Op()
		done, err := b.a.Step()
		require.NoError(t, err)
		require.Equal(t, from+vsr.OpNumber(n), done.Op)
		require.Equal(t, done.Op, b.a.Op())
		require.Len(t, done.Results, n)
		for i, r := range done.Results {
			require.Equal(t, uint64(from)-session+uint64(i)+1, r.Request)
			require.Equal(t, fmt.Sprint(r.Request), string(r.Result))
		}
	}
	require.True(t, b.a.Idle())
	done, err := b.a.Step()
	require.NoError(t, err)
	require.Nil(t, done)
}

// Jobs are done in order, however many wait, and what is done is not kept.
func TestJobsKeepTheirOrder(t *testing.T) {
	b := newApplier(t)
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		for range random.IntN(20) {
			b.a.Add(Job{Entries: b.commands(1)})
		}
		for range random.IntN(20) {
			_, err := b.a.Step()
			require.NoError(t, err)
		}
		done := slices.DeleteFunc(slices.Clone(b.a.jobs), func(j Job) bool { return j.Entries != nil })
		require.Len(t, done, b.a.first)
		require.LessOrEqual(t, 2*b.a.first, len(b.a.jobs))
	}
	b.steps(t)
	require.Equal(t, b.next-1, b.a.Op())
	require.True(t, b.a.Idle())
}

func BenchmarkManyJobs(b *testing.B) {
	a := &Applier{}
	for b.Loop() {
		for range 1 << 14 {
			a.Add(Job{Written: true})
		}
		for !a.Idle() {
			a.Step()
		}
	}
}

// The results of other sessions are not reported, nor is a request executed again.
func TestApplierReportsItsOwnResults(t *testing.T) {
	b := newApplier(t)
	again := b.commands(2)
	other := again[1]
	other.Op, other.Session = 5, 1
	repeated := again[0]
	repeated.Op = 6
	b.a.Add(Job{Entries: append(again, other, repeated)})
	done, err := b.a.Step()
	require.NoError(t, err)
	require.Equal(t, vsr.OpNumber(6), done.Op)
	require.Len(t, done.Results, 2)
	require.Len(t, b.user.items, 2)
}

// N7: entries that do not follow on stop the replica before any of them is applied.
func TestEntriesThatDoNotFollow(t *testing.T) {
	b := newApplier(t)
	b.commands(1)
	b.a.Add(Job{Entries: b.commands(1)})
	_, err := b.a.Step()
	require.EqualError(t, err, "op 4 is to be applied after op 2: the entries between are missing")
	require.Equal(t, err, b.a.Failure())
	require.Empty(t, b.user.items)
}

// A replica that stops leaves what waits.
func TestApplierStops(t *testing.T) {
	b := newApplier(t)
	b.user.apply = func(e *vsr.Entry) error {
		if e.Op == 5 {
			b.Fail(errors.New("elsewhere"))
		}
		return nil
	}
	b.a.Add(Job{Entries: b.commands(5)})
	done, err := b.a.Step()
	require.NoError(t, err)
	require.Equal(t, vsr.OpNumber(5), done.Op)
	require.Len(t, done.Results, 3)
	require.NoError(t, b.a.Failure())
}

// The user's code fails, panics or ends the goroutine in Apply: the replica stops with an error that names the op, and the
// state is not to be read any more.
func TestApplyFails(t *testing.T) {
	for says, apply := range map[string]func(*vsr.Entry) error{
		"a bug": func(*vsr.Entry) error { return errors.New("a bug") },
		"panicked at op 4; every replica that reaches it will do the same: fix the program": func(*vsr.Entry) error {
			panic("a bug")
		},
		"panicked at op 4; every": func(*vsr.Entry) error { runtime.Goexit(); return nil },
	} {
		b := newApplier(t)
		b.user.apply = func(e *vsr.Entry) error {
			if e.Op == 4 {
				return apply(e)
			}
			return nil
		}
		b.a.Add(Job{Entries: b.commands(3)})
		exits(func() { b.a.Step() })
		require.ErrorContains(t, b.a.Failure(), says)
		require.NotContains(t, b.a.Failure().Error(), "\n")
		require.Equal(t, strings.Contains(says, "panicked"), strings.Contains(Stack(b.a.Failure()), "TestApplyFails"))
		require.Equal(t, vsr.OpNumber(3), b.a.Op())
		require.Len(t, b.user.items, 1)
	}
}

// exits runs f, which may end its goroutine.
func exits(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

// A snapshot is due after so many operations, or so many bytes of them, since the one before was begun.
func TestSnapshotsAreDue(t *testing.T) {
	for name, set := range map[string]func(a *Applier){
		"by number": func(a *Applier) { a.every = 40 },
		"by bytes":  func(a *Applier) { a.everyBytes, a.bytes = 40*200, 0 }, // of which 100 are the body
	} {
		t.Run(name, func(t *testing.T) {
			b := newApplier(t)
			set(b.a)
			for range 3 {
				for range 39 {
					b.a.Add(Job{Entries: large(b.commands(1))})
				}
				b.steps(t)
				require.Empty(t, b.tasks)
				b.a.Add(Job{Entries: large(b.commands(1))})
				b.steps(t)
				require.Len(t, b.tasks, 1)
				b.background()
				b.steps(t)
				latest, _ := b.shell.Snapshots.Latest()
				require.Equal(t, uint64(b.a.Op()), latest.ID.Op)
			}
		})
	}
	b := newApplier(t)
	b.a.Add(Job{Entries: b.commands(500)})
	b.steps(t)
	require.Empty(t, b.tasks, "neither is set")
}

// A snapshot that is restored counts as the latest: what was applied before it does not make the next one due earlier.
func TestARestoredSnapshotIsTheLatest(t *testing.T) {
	for name, set := range map[string]func(a *Applier){
		"by number": func(a *Applier) { a.every = 40 },
		"by bytes":  func(a *Applier) { a.everyBytes, a.bytes = 40*200, 0 },
	} {
		t.Run(name, func(t *testing.T) {
			b := newApplier(t)
			set(b.a)
			b.a.Add(Job{Snapshot: true})
			b.steps(t)
			b.background()
			latest, _ := b.shell.Snapshots.Latest()
			taken := store.Describe(latest, vsr.Membership{})
			next := b.next
			b.a.Add(Job{Entries: large(b.commands(39))})
			b.a.Add(Job{Restore: &taken})
			b.steps(t)
			b.next = next
			b.a.Add(Job{Entries: large(b.commands(39))})
			b.steps(t)
			require.Empty(t, b.tasks)
			b.a.Add(Job{Entries: large(b.commands(1))})
			b.steps(t)
			require.Len(t, b.tasks, 1)
		})
	}
}

// Empty operations fill the log too: their overhead counts.
func TestEmptyOperationsMakeSnapshotsDue(t *testing.T) {
	b := newApplier(t)
	b.a.everyBytes = 64 << 10
	entries := b.commands(1000)
	for i := range entries {
		entries[i].Body = nil
	}
	b.a.Add(Job{Entries: entries})
	b.steps(t)
	require.Len(t, b.tasks, 1)
}

// large makes the bodies of entries 100 bytes long.
func large(entries []vsr.Entry) []vsr.Entry {
	for i := range entries {
		entries[i].Body = []byte(strings.Repeat("x", 100))
	}
	return entries
}

// While a snapshot is written, none is taken, not even one that is asked for; the next is due after that.
func TestOneSnapshotAtATime(t *testing.T) {
	b := newApplier(t)
	b.a.every = 10
	b.a.Add(Job{Entries: b.commands(10)})
	b.a.Add(Job{Snapshot: true})
	b.a.Add(Job{Entries: b.commands(25)})
	b.steps(t)
	require.Len(t, b.tasks, 1)
	b.background()
	require.Equal(t, []vsr.OpNumber(nil), b.steps(t))
	require.Empty(t, b.tasks)
	b.a.Add(Job{Entries: b.commands(1)})
	b.steps(t)
	require.Len(t, b.tasks, 1, "it has been due for long")
	b.background()
	b.steps(t)
	b.a.Add(Job{Snapshot: true})
	b.steps(t)
	require.Len(t, b.tasks, 1, "one that is asked for needs not be due")
}
