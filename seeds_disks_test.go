package smr

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/smr-go/smr/internal/vfs"
)

// errFaulty is what a disk fails with when a trouble makes it.
var errFaulty = errors.New("the disk fails")

// faults is the hook of a member's disk in a seeded run. Each fault begins and ends without the others.
type faults struct {
	happened func(trouble string)

	mu        sync.Mutex
	dead      bool      // the process that uses the disk is gone
	fail      bool      // the next sync fails: the replica stops by itself
	slowUntil time.Time // until then a sync takes a while, up to most
	most      time.Duration
	rng       *rand.Rand // of these whiles
}

// locked calls do alone.
func (f *faults) locked(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// stall makes every sync take a while, up to d, until then.
func (f *faults) stall(d time.Duration, rng *rand.Rand) {
	f.locked(func() {
		f.slowUntil, f.most = time.Now().Add(d), 1+time.Duration(rng.Int64N(int64(d)))
		f.rng = rand.New(rand.NewPCG(rng.Uint64(), 1))
	})
}

// before is called before each operation.
func (f *faults) before(op vfs.Op) error {
	wait, err := f.due(op)
	if wait == 0 {
		return err
	}
	f.happened("a disk stalls")
	time.Sleep(wait)
	_, err = f.due(vfs.Op{}) // the process may be gone by now
	return err
}

// due returns what is due before an operation: a wait, or an error.
func (f *faults) due(op vfs.Op) (wait time.Duration, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.dead:
		return 0, errFaulty
	case op.Kind != vfs.OpSync:
		return 0, nil
	case f.fail:
		f.fail = false
		f.happened("a sync fails")
		return 0, errFaulty
	case time.Now().Before(f.slowUntil):
		return time.Duration(f.rng.Int64N(int64(f.most))), nil
	}
	return 0, nil
}
