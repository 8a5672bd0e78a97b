package smr

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
	"github.com/smr-go/smr/internal/wire"
)

// errFaulty is what a disk fails with when a trouble makes it.
var errFaulty = errors.New("the disk fails")

// faults is the hook of a member's disk in a seeded run. Each fault begins and ends without the others.
type faults struct {
	happened func(trouble string)

	mu        sync.Mutex
	dead      bool      // the process that uses the disk is gone
	fail      int       // syncs that fail, from the next on: the replica stops by itself
	slowUntil time.Time // until then a sync takes a while, up to most
	most      time.Duration
	rng       *rand.Rand // of these whiles
	stalled   time.Time  // until then at the longest
	limits    []*int64   // of what the disk can hold; the least counts
	short     int        // how many troubles leave the process without descriptors
	spoiled   bool       // something was ever damaged: a damaged snapshot stays where it is (F9)
	broken    error      // a sync of the log has failed since the process began
	brokenAt  time.Time
}

// locked calls do alone.
func (f *faults) locked(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// stall makes every sync take a while, up to d, until then. Another stall may make it last longer, but not shorter.
func (f *faults) stall(d time.Duration, rng *rand.Rand) {
	f.locked(func() {
		if until := time.Now().Add(d); until.After(f.slowUntil) {
			f.slowUntil = until
		}
		f.most, f.rng = 1+time.Duration(rng.Int64N(int64(d))), rand.New(rand.NewPCG(rng.Uint64(), 1))
	})
}

// fill limits what the disk can hold. The function that it returns ends that, and no other limit.
func (f *faults) fill(disk *vfs.Mem, bytes int64) (undo func()) {
	f.locked(func() { f.limits = append(f.limits, &bytes); f.limit(disk) })
	return func() {
		f.locked(func() {
			f.limits = slices.DeleteFunc(f.limits, func(x *int64) bool { return x == &bytes })
			f.limit(disk)
		})
	}
}

// starve leaves no descriptor for another file. The function that it returns ends that.
func (f *faults) starve() (undo func()) {
	f.locked(func() { f.short++ })
	return func() { f.locked(func() { f.short = max(0, f.short-1) }) }
}

// limit applies the limits. The caller holds the lock.
func (f *faults) limit(disk *vfs.Mem) {
	least := int64(0)
	for _, x := range f.limits {
		if least == 0 || *x < least {
			least = *x
		}
	}
	disk.SetCapacity(least)
}

// before is called before each operation.
func (f *faults) before(op vfs.Op) error {
	wait, err := f.due(op)
	if wait == 0 {
		return err
	}
	f.happened("a disk stalls")
	f.locked(func() { f.stalled = latest(f.stalled, time.Now().Add(wait)) })
	time.Sleep(wait)
	_, err = f.due(vfs.Op{}) // the process may be gone by now
	return err
}

// stalledUntil returns when the last operation ends that takes a while.
func (f *faults) stalledUntil() (until time.Time) {
	f.locked(func() { until = f.stalled })
	return until
}

// survived returns an error if the log has failed, and is used nevertheless.
func (f *faults) survived() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.broken
}

// failedBefore reports whether the log has failed before then, and no goroutine has slept since.
func (f *faults) failedBefore(then, slept time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.broken != nil && f.brokenAt.Before(then) && slept.Before(f.brokenAt)
}

// due returns what is due before an operation: a wait, or an error.
func (f *faults) due(op vfs.Op) (wait time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.dead:
		return 0, errFaulty
	case f.short > 0 && (op.Kind == vfs.OpOpen || op.Kind == vfs.OpLock):
		f.happened("descriptors run out")
		return 0, syscall.EMFILE
	case op.Kind != vfs.OpSync:
		return 0, nil
	case f.fail > 0:
		f.fail--
		f.happened("a sync fails")
		if strings.HasPrefix(op.Name, "data/"+shell.LogDir) && !strings.Contains(op.Name, "reserve") {
			f.brokenAt = time.Now()
			f.broken = fmt.Errorf("F12: a save is reported as durable, after a sync of %s has failed", op.Name)
		}
		return 0, errFaulty
	case time.Now().Before(f.slowUntil):
		return time.Duration(f.rng.Int64N(int64(f.most))), nil
	}
	return 0, nil
}

// rot damages a member's disk, where the member must notice it: in a record of the log that a mark covers, or in a snapshot.
// A bit flips, or what was written to some sectors is lost. The member may run. Damage to the last record, for which rot and
// a torn write look alike but for the mark, is the most likely.
func (x *seeded) rot(id ID) {
	files := x.records(id)
	if len(files) == 0 || x.rng.IntN(4) == 0 {
		files = append(files, x.snapshots(id)...)
	}
	if len(files) == 0 {
		return
	}
	at := files[len(files)-1]
	if x.rng.IntN(2) == 0 {
		at = files[x.rng.IntN(len(files))]
	}
	x.spoil(id, at)
}

// spoil flips a bit at a place of a member's disk, or undoes the writes of its sectors.
func (x *seeded) spoil(id ID, at place) {
	x.checker.locked(func() { x.checker.rotten[id] = true })
	f := x.faults[id]
	f.locked(func() { f.spoiled = true })
	const sector = 512
	if x.rng.IntN(2) == 0 {
		x.seen.happened("a bit flips on a disk")
		x.disks[id].FlipBit(at.name, at.from+x.rng.Int64N(at.to-at.from), x.rng.IntN(8))
		return
	}
	from, to := at.from&^(sector-1), min((at.to+sector-1)&^(sector-1), at.size)
	x.seen.happened("a disk loses what was written")
	x.disks[id].Damage(at.name, from, make([]byte, to-from))
}

// place is a part of a file.
type place struct {
	name           string
	from, to, size int64
}

// files returns the files in a folder of a member, by path.
func (x *seeded) files(id ID, folder, ext string) (names []string, contents [][]byte) {
	all, _ := x.disks[id].ReadDir("data/" + folder)
	for _, name := range all {
		name = path.Join("data", folder, name)
		if b, err := x.disks[id].ReadFile(name); err == nil && strings.HasSuffix(name, ext) && len(b) > 0 {
			names, contents = append(names, name), append(contents, b)
		}
	}
	return names, contents
}

// records returns where a member's log has the records that a mark covers, in order.
func (x *seeded) records(id ID) (places []place) {
	x.checker.mu.Lock()
	defer x.checker.mu.Unlock()
	o := x.checker.observers[id]
	disk := x.checker.judge.Disk(o.i)
	names, contents := x.files(id, shell.LogDir, ".log")
	for i, name := range names {
		for _, e := range wal.Extents(name, contents[i]) {
			op := vsr.OpNumber(e.Stamp.Op)
			if e.Part != wal.RecordPart || op <= disk.Base.Op || op > min(o.covered, disk.Last.Op) {
				continue
			}
			entry := wire.AppendEntry(nil, x.checker.judge.EntryOn(o.i, op))
			if bytes.HasSuffix(contents[i][e.Off:][:e.Size], entry) { // and not one that was replaced
				places = append(places, place{name, e.Off, e.Off + e.Size, int64(len(contents[i]))})
			}
		}
	}
	return places
}

// snapshots returns where a member's snapshots are.
func (x *seeded) snapshots(id ID) (places []place) {
	names, contents := x.files(id, shell.SnapshotDir, ".snap")
	for i, name := range names {
		size := int64(len(contents[i]))
		places = append(places, place{name, 0, size, size})
	}
	return places
}
