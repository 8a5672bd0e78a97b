package smr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

// F13. A primary whose disk is full reports it, gives up its role and refuses proposals whose result it
// could not learn. When there is space again, it resumes without a restart.
func TestFullDisk(t *testing.T) {
	scenarioWith(t, 3, snapshots, func(g *group) {
		g.start()
		g.propose("a", "before")
		p := g.primary()
		g.disks[p].SetCapacity(g.disks[p].Used())
		for i := range 400 { // until the segment is full
			g.propose(g.others(p)[i%2], fmt.Sprint("meanwhile ", i))
		}
		r := g.replica(p)
		g.wait("it reports that the disk is full", func() bool { return strings.Contains(r.Status().Problem, "full") })
		g.wait("another member is primary", func() bool { return g.replica(g.others(p)[0]).Status().Primary != p })
		_, err := r.Propose(g.in(time.Second), []byte("through it"))
		require.ErrorIs(t, err, ErrNotApplied)
		require.ErrorContains(t, err, "disk is full")
		require.NoError(t, r.Read(g.t.Context(), Local, func() {}))

		g.disks[p].SetCapacity(1 << 30)
		g.wait("it resumes", func() bool { return r.Status().Problem == "" })
		g.propose(p, "afterwards")
		g.settle()
		require.Len(t, g.history(p), 402)
	})
}

// F13. With the disks of a majority full, the primary refuses proposals with that reason, and every replica that holds the
// whole log serves linearizable reads. When there is space, the group goes on.
func TestFullDisksLeaveReads(t *testing.T) {
	scenarioWith(t, 3, snapshots, func(g *group) {
		g.start()
		g.propose("a", "before")
		g.settle()
		for _, id := range g.all() {
			g.disks[id].SetCapacity(g.disks[id].Used())
		}
		p := g.primary()
		for i := 0; !strings.Contains(g.replica(p).Status().Problem, "writes are refused") && i < 2000; i++ {
			g.replica(g.all()[i%3]).Propose(g.in(time.Second), fmt.Append(nil, "meanwhile ", i))
			p = g.primary()
		}
		for i := range 20 {
			_, err := g.replica(g.all()[i%3]).Propose(g.in(time.Second), []byte("refused"))
			require.ErrorIs(t, err, ErrNotApplied)
			require.ErrorContains(t, err, "full")
		}
		// A primary that was full before its opening entry was durable serves no reads, and reports that. It is rare: the
		// role has to pass to a member whose disk takes the last command but not the opening entry.
		err := g.replica(p).Read(g.in(time.Second), Linearizable, func() {})
		if !strings.Contains(g.replica(p).Status().Problem, "and reads wait") {
			require.NoError(t, err)
		}
		for _, id := range g.all() {
			g.disks[id].SetCapacity(0)
		}
		g.wait("they resume", func() bool {
			return !slices.ContainsFunc(g.all(), func(id ID) bool { return g.replica(id).Status().Problem != "" })
		})
		g.propose(p, "afterwards")
		g.settle()
	})
}

// F13. While the disk of a backup is full, calls there are refused, a call that was sent before waits, and so does a
// linearizable read. All return once there is space; a call whose context ends before does not learn its outcome.
func TestCallsOnAFullDisk(t *testing.T) {
	for _, gaveUp := range []bool{false, true} {
		scenarioWith(t, 3, snapshots, func(g *group) {
			g.wires.latency = 100 * time.Millisecond
			g.start()
			require.Equal(t, ID("a"), g.primary())
			g.propose("a", "opens the session of a")
			g.propose("b", "opens the session of b")
			g.settle()
			b := g.replica("b")
			g.disks["b"].SetCapacity(g.disks["b"].Used())
			large := make(chan error, 1)
			go func() {
				_, err := g.replica("a").Propose(g.in(time.Minute), make([]byte, 256<<10))
				large <- err
			}()
			time.Sleep(50 * time.Millisecond) // b receives the large operation, and after that its own
			ctx, giveUp := context.WithCancel(g.in(time.Minute))
			defer giveUp()
			sent := make(chan error, 1)
			go func() {
				_, err := b.Propose(ctx, []byte("sent before"))
				sent <- err
			}()
			require.NoError(t, <-large)
			time.Sleep(time.Second) // both are committed
			require.Contains(t, b.Status().Problem, "full")

			_, err := b.Propose(g.in(time.Minute), []byte("refused"))
			require.ErrorIs(t, err, ErrNotApplied)
			applied := b.Status().Applied
			require.NoError(t, b.Read(g.in(time.Minute), AtLeast(applied), func() {}))
			require.ErrorIs(t, b.Read(g.in(10*time.Second), Linearizable, func() {}), context.DeadlineExceeded)
			require.Empty(t, sent)
			if gaveUp {
				giveUp()
				require.ErrorIs(t, <-sent, ErrUnknown)
			}
			g.disks["b"].SetCapacity(1 << 30)
			require.NoError(t, b.Read(g.in(time.Minute), Linearizable, func() {}))
			if !gaveUp {
				require.NoError(t, <-sent)
			}
			require.Equal(t, "sent before", g.history("b")[3])
			require.Len(t, g.history("b"), 4)
		})
	}
}

// F13. A save waits for space that a compaction queued behind it would free: the compaction goes first.
func TestFullDiskIsCompacted(t *testing.T) {
	scenarioWith(t, 3, snapshots, func(g *group) {
		g.start()
		g.propose("a", "before")
		b := g.backup()
		var due atomic.Bool
		g.spoil(b, func(s *recorder) {
			s.refuse = func() error {
				if due.CompareAndSwap(true, false) {
					return nil
				}
				return errors.New("not now")
			}
		})
		large := strings.Repeat("x", 8<<10)
		for i := range 100 { // segments for the compaction to free
			g.propose("a", fmt.Sprint(large, i))
		}
		g.durable(b)
		over := g.hang(b)
		for i := range 40 { // saves of more than a segment, most of them followed by a compaction
			if i == 20 {
				due.Store(true)
			}
			g.propose(g.others(b)[0], fmt.Sprint("meanwhile ", large, i))
		}
		g.wait("it has a snapshot", func() bool { return g.replica(b).Status().Snapshot > 0 })
		g.disks[b].SetCapacity(g.disks[b].Used())
		over()
		g.durable(b)
		g.settle()
		require.Len(t, g.history(b), 141)
	})
}

// durable waits until the log of a member holds every entry that its status shows.
func (g *group) durable(id ID) {
	g.t.Helper()
	g.wait("all entries are durable", func() bool {
		_, last := g.replica(id).shell.Log.Bounds()
		return last.Op == g.replica(id).Status().Op
	})
}

// hang makes syncs of a member's log hang until the returned function is called.
func (g *group) hang(id ID) (end func()) {
	over := make(chan struct{})
	g.disks[id].SetHook(func(op vfs.Op) error {
		if op.Kind == vfs.OpSync && strings.HasPrefix(op.Name, "data/log/") {
			<-over
		}
		return nil
	})
	end = sync.OnceFunc(func() { close(over) })
	g.t.Cleanup(end)
	return end
}

// F12. A replica stops with the error of a failed sync, and can be restarted on its directory.
func TestFailedSync(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "before")
		p := g.primary()
		broken := errors.New("the disk is broken")
		var fail atomic.Bool
		fail.Store(true)
		g.disks[p].SetHook(func(op vfs.Op) error {
			if op.Kind == vfs.OpSync && fail.Load() {
				return broken
			}
			return nil
		})
		g.replica(p).Propose(g.in(time.Second), []byte("perhaps"))
		require.ErrorIs(t, g.stopped(p), broken)
		fail.Store(false)
		require.ErrorIs(t, g.close(p), broken)
		g.propose(g.primary(), "without it")
		g.start(p)
		g.settle()
	})
}

// F6. Damage in the log is an error that names the file and the offset. The directory is left unchanged.
func TestDamagedLog(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		for i := range 20 {
			g.propose("a", fmt.Sprint("op ", i))
		}
		g.settle()
		g.close("c")
		disk := g.disks["c"]
		names, err := disk.ReadDir("data/log")
		require.NoError(t, err)
		var segment string
		for _, name := range names {
			if strings.HasSuffix(name, ".log") {
				segment = "data/log/" + name
			}
		}
		whole, err := disk.ReadFile(segment)
		require.NoError(t, err)
		require.NoError(t, disk.FlipBit(segment, int64(bytes.Index(whole, []byte("op 5"))), 3))
		before, err := disk.ReadFile(segment)
		require.NoError(t, err)
		err = g.tryStart("c", g.change)
		require.ErrorIs(t, err, ErrCorrupt)
		require.ErrorContains(t, err, segment)
		require.ErrorContains(t, err, "at byte")
		require.ErrorContains(t, err, "leave this replica out")
		after, err := disk.ReadFile(segment)
		require.NoError(t, err)
		require.Equal(t, before, after)
		g.propose("a", "without c")
	})
}

// F7, S6. A backup is killed while its log is busy, and the end of the log, which it has acknowledged, is damaged. That looks
// like a torn write, so it starts. The others remember, it stops, and they name it and go on.
func TestLogThatLostItsEnd(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "before")
		g.settle()
		lost := g.backup()
		g.propose(g.primary(), "the end")
		g.durable(lost)
		g.wait("it has acknowledged the end", func() bool { return g.replica(lost).Status().Commit == g.replica(g.primary()).Status().Op })
		g.crash(lost)
		disk := g.disks[lost]
		segment := "data/log/" + g.firstSegment(lost)
		whole, err := disk.ReadFile(segment)
		require.NoError(t, err)
		require.NoError(t, disk.FlipBit(segment, int64(bytes.Index(whole, []byte("the end"))), 3))
		g.start(lost)
		require.ErrorContains(t, g.stopped(lost), "this replica has acknowledged")
		for _, id := range g.others(lost) {
			g.wait("it names the loss", func() bool {
				return strings.Contains(g.replica(id).Status().Problem, string(lost)+" has lost its memory")
			})
			g.propose(id, "without it at "+string(id))
		}
	})
}

// F17, F18. A directory can be used by one replica at a time, and always by the same one.
func TestDirectoryOfAnother(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "before")
		_, err := start(g.config("a", newRecorder()), g.disks["a"], nil)
		require.ErrorIs(t, err, vfs.ErrLocked)
		require.ErrorContains(t, err, "stop")
		g.close("a")
		_, err = start(g.config("b", newRecorder()), g.disks["a"], nil)
		require.ErrorContains(t, err, "smr/a")
		require.ErrorContains(t, err, "smr/b")
		g.start("a")
	})
}

// F17. A replica that was started with a wrong ID or group by mistake, and has learned of no group, does not spoil the
// directory for the right one. Once it has learned of a group, it does.
func TestDirectoryOfAMistakenFirstStart(t *testing.T) {
	for name, mistake := range map[string]func(*Config){
		"ID":    func(cfg *Config) { cfg.ID, cfg.Transport = "b", NewNetwork().Transport("b") },
		"group": func(cfg *Config) { cfg.Group, cfg.Transport = "another", NewNetwork().Transport("c") },
	} {
		scenario(t, 3, func(g *group) {
			require.NoError(t, g.tryStart("c", mistake), name)
			time.Sleep(time.Second)
			g.close("c")
			g.start()
			g.propose("c", "after")
			g.close("c")
			require.ErrorContains(t, g.tryStart("c", mistake), "belongs to")
		})
	}
}

// D3. If the disk of the primary hangs, another member takes over. If that of a backup hangs, nothing happens. The member whose
// disk hangs goes on serving its callers.
func TestHungDisk(t *testing.T) {
	for _, primary := range []bool{true, false} {
		scenario(t, 3, func(g *group) {
			g.start()
			g.propose("a", "before")
			hung := g.primary()
			if !primary {
				hung = g.backup()
			}
			over := g.hang(hung)
			go g.replica(hung).Propose(g.in(time.Minute), []byte("through it"))
			time.Sleep(10 * time.Second)
			other := g.others(hung)[0]
			g.propose(other, "meanwhile")
			require.Equal(t, primary, g.replica(other).Status().Primary != "a")
			for i := range 20 {
				g.propose(other, fmt.Sprint("meanwhile ", i, strings.Repeat(" and", 2<<10)))
				_, err := g.replica(hung).Propose(g.in(time.Second), fmt.Append(nil, "through it again ", i))
				require.NoError(t, err)
				require.NoError(t, g.replica(hung).Read(g.in(time.Second), Linearizable, func() {}))
			}
			over()
			g.settle()
		})
	}
}

// F15. A disk that takes a second for each sync costs no member its role. On a backup it costs no time either.
func TestSlowDisk(t *testing.T) {
	for _, primary := range []bool{true, false} {
		scenario(t, 3, func(g *group) {
			g.start()
			g.propose("a", "before")
			g.settle()
			slow := g.primary()
			if !primary {
				slow = g.backup()
			}
			view := g.replica(slow).Status().View
			g.disks[slow].SetHook(func(op vfs.Op) error {
				if op.Kind == vfs.OpSync {
					time.Sleep(time.Second)
				}
				return nil
			})
			c := g.clients(1)
			time.Sleep(10 * time.Second)
			c.stop()
			g.settle()
			g.durable(slow)
			c.check()
			require.Empty(t, c.refused)
			require.Empty(t, c.unknown)
			require.Equal(t, view, g.replica(slow).Status().View)
			require.Greater(t, len(g.history(slow)), 300, "others wait for it")
		})
	}
}

// F9. A damaged snapshot is never restored. If the log reaches back far enough, the replica starts without
// it. Otherwise the replica does not start, and the directory is left unchanged.
func TestDamagedSnapshot(t *testing.T) {
	for _, whole := range []bool{true, false} {
		scenarioWith(t, 3, snapshots, func(g *group) {
			if whole {
				g.change = func(cfg *Config) { cfg.SnapshotEvery = 20 } // large segments, so the log is not cut
			}
			g.start()
			g.settle()
			first := g.firstSegment("c")
			g.fill("a", "op ")
			for i := 0; !whole && g.firstSegment("c") == first && i < 1000; i++ {
				g.propose("a", fmt.Sprint("until c cuts its log ", i))
			}
			g.settle()
			g.close("c")
			file := g.damageSnapshot("c")
			before, err := g.disks["c"].ReadFile(file)
			require.NoError(t, err)
			err = g.tryStart("c", g.change)
			if whole {
				require.NoError(t, err)
				g.settle()
				require.Len(t, g.history("c"), 280)
				return
			}
			require.ErrorIs(t, err, ErrCorrupt)
			require.ErrorContains(t, err, "no sound snapshot")
			after, err := g.disks["c"].ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, before, after)
		})
	}
}

// F9. The snapshot of a running primary rots. The primary takes another one, although no operation makes
// one due, and does not offer the rotten one again and again.
func TestSnapshotRotsBeforeItIsSent(t *testing.T) {
	scenarioWith(t, 3, snapshots, func(g *group) {
		g.start()
		require.Equal(t, ID("a"), g.primary())
		g.propose("a", "before")
		g.crash("c")
		g.fill("a", "while it was away ")
		g.settle()
		g.damageSnapshot("a")
		g.start("c")
		g.settle()
		require.Len(t, g.history("c"), 281)
		require.Equal(t, ID("a"), g.primary())
	})
}

// firstSegment returns the name of the oldest segment in the log of a member.
func (g *group) firstSegment(id ID) string {
	names, err := g.disks[id].ReadDir("data/log")
	require.NoError(g.t, err)
	i := slices.IndexFunc(names, func(name string) bool { return strings.HasSuffix(name, ".log") })
	require.GreaterOrEqual(g.t, i, 0, "%q", names)
	return names[i]
}

// damageSnapshot flips a bit in the middle of a member's snapshot and returns the name of the file.
func (g *group) damageSnapshot(id ID) string {
	names, err := g.disks[id].ReadDir("data/snapshots")
	require.NoError(g.t, err)
	require.NotEmpty(g.t, names)
	file := "data/snapshots/" + names[len(names)-1]
	b, err := g.disks[id].ReadFile(file)
	require.NoError(g.t, err)
	require.NoError(g.t, g.disks[id].FlipBit(file, int64(len(b)/2), 1))
	return file
}
