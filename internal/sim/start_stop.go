package sim

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path"
	"time"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
)

// stopTime is the longest time from the turn in which a process leaves to its end. Calls that begin in between wait for
// a turn that never comes.
const stopTime = 10 * time.Millisecond

// stop stops the process as Replica.Close does: its loop leaves, and ends in its next turn.
func (h *host) stop(f *fault.Fault) error {
	p := h.proc
	p.queue(shell.Input{Do: func(l *shell.Loop) {
		l.Leave()
		p.leaving = f
	}})
	return nil
}

// close ends a process that has left. All its calls get an outcome, and the shell lets go of its files.
func (p *process) close() {
	h, f := p.h, p.leaving
	p.shell.Loop.Stop(shell.ErrClosed, p.inputs)
	if len(p.proposals) > 0 {
		p.s.fail("X4", "%s has stopped, and %v has no outcome", h.id, p.proposals[0])
	}
	p.onDisk(func() {
		if p.lastWrites(random(f)); !p.dead {
			p.shell.Close()
		}
	})
	if p.dead {
		return
	}
	h.expire("the process stopped before that", fault.CrashIn, fault.ForgeRequest)
	h.faults.untilCrash = 0
	p.end()
	h.fs.Kill()
	p.s.stats.Stops++
	h.restartIn(f.For, 0)
}

// lastWrites performs some of the writes that wait: the writer of a replica that stops may or may not notice that
// before it takes the next.
func (p *process) lastWrites(rng *rand.Rand) {
	w := &p.shell.Writer
	for rng.IntN(2) == 0 && !p.dead && !w.Full() && (p.writing || w.Begin()) {
		p.writing = false
		if _, err := w.Perform(p.h.now()); err != nil {
			p.Note(shell.Note{Text: "its last write", Err: err})
			return
		}
	}
}

// secondStart starts a second process on the directory of a running one, which must not notice.
func (h *host) secondStart(*fault.Fault) error {
	return h.refuses("F18", groupName, h.i, vfs.ErrLocked)
}

// foreignStart starts another replica on the host's directory, which must not change.
func (h *host) foreignStart(f *fault.Fault) error {
	group, want := groupName, wal.ErrForeign
	if f.To == h.i {
		group = "another"
	}
	switch {
	case h.proc != nil:
		want = vfs.ErrLocked
	case h.durable().Head.Group == vsr.GroupID{}:
		return fmt.Errorf("the directory of %s is that of a first start, where another may begin", h.id)
	}
	return h.refuses("F17", group, f.To, want)
}

// refuses starts a member of a group on the host's directory, without the faults of the disk, and expects an error.
func (h *host) refuses(rule, group string, member int, want error) error {
	h.fs.SetHook(nil)
	defer h.fs.SetHook(h.hook)
	if _, err := h.fs.ReadFile(headFile); err != nil || h.faults.mixed {
		return fmt.Errorf("%s has no directory of its own", h.id)
	}
	before, who, mine := h.contents(), shell.Identity(group, fault.Name(member)), shell.Identity(groupName, h.id)
	_, _, err := shell.Open(shell.Config{Core: vsr.Config{Self: vsr.Index(member), Members: h.s.members}, Group: group,
		FS: h.fs, Dir: dataDir, SegmentSize: h.s.p.SegmentSize, ChunkSize: h.s.p.ChunkSize}, h.now())
	unreadable := h.faults.rotten && store.IsCorrupt(err)
	switch {
	case err == nil:
		h.s.fail(rule, "%s is let in on the directory of %s", who, mine)
	case !errors.Is(err, want) && !unreadable:
		h.s.fail(rule, "%s is refused on the directory of %s, but with %q and not with %q", who, mine, err, want)
	case !maps.Equal(before, h.contents()):
		h.s.fail(rule, "%s is refused on the directory of %s, and has changed what it holds", who, mine)
	}
	h.s.note(h.i, "refuses %s", 0, who)
	return nil
}

// contents returns hashes of all files but the lock, by name.
func (h *host) contents() map[string]uint64 {
	all := map[string]uint64{}
	for _, dir := range []string{logDir, snapDir} {
		names, _ := h.fs.ReadDir(dir)
		for _, name := range names {
			if b, err := h.fs.ReadFile(path.Join(dir, name)); err == nil && name != wal.LockName {
				all[path.Join(dir, name)] = contract.SumOf(b)
			}
		}
	}
	return all
}
