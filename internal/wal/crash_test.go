package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vfs"
)

var errPower = errors.New("power failure")

// life is a log on a file system that loses power repeatedly, with the model of the log's required
// contents.
type life struct {
	fs     *vfs.Mem
	log    *Log
	script script
	model  model
	maybe  []model // possible models after the save in progress, if any
	left   int     // operations until the power fails; below 0: never
	done   int     // operations so far
	lie    func(vfs.Op) bool
}

func newLife(seed uint64) *life {
	l := &life{fs: vfs.NewCrashable(), script: script{rng: newRNG(seed, 1)}, left: -1}
	l.fs.SetHook(func(op vfs.Op) error {
		switch {
		case l.left == 0:
			return errPower
		case !op.Kind.Changes():
			return nil
		case l.lie != nil && l.lie(op):
			return vfs.ErrLie
		}
		l.done++
		if l.left > 0 {
			l.left--
		}
		return nil
	})
	return l
}

// open opens the log and checks that it equals the model, or the model after some prefix of the
// save that was in progress. The model that it equals becomes the required one.
func (l *life) open() error {
	log, err := Open(l.fs, dir, small)
	if err != nil {
		return err
	}
	l.log = log
	var differs error
	for _, m := range append([]model{l.model}, l.maybe...) {
		err := m.compare(log, l.script.safe)
		if err == nil {
			l.model, l.maybe = m, nil
			l.script.safe = min(l.script.safe, m.last().Op) // a snapshot may not have become durable
			return nil
		}
		differs = errors.Join(differs, err)
	}
	return fmt.Errorf("none of %d models: %w", 1+len(l.maybe), differs)
}

// step takes one random step.
func (l *life) step() error {
	switch l.script.rng.IntN(12) {
	case 0:
		return l.log.Mark()
	case 1, 2:
		l.script.safe += l.script.rng.Uint64N(l.model.last().Op - l.script.safe + 1)
		_, err := l.log.Compact(l.script.safe/2, l.script.safe, int64(l.script.rng.IntN(20_000)))
		return err
	case 3:
		if err := l.log.Close(); err != nil {
			return err
		}
		return l.open()
	case 4:
		l.fs.Kill()
		return l.open()
	}
	return l.save()
}

func (l *life) save() error {
	var saves []Save
	after := l.model
	l.maybe = nil
	for range 1 + l.script.rng.IntN(3) {
		s := l.script.save(after)
		after = after.apply(s)
		saves, l.maybe = append(saves, s), append(l.maybe, after)
	}
	if err := l.log.Save(saves); err != nil {
		return err
	}
	l.model, l.maybe = after, nil
	return l.model.compare(l.log, l.script.safe)
}

// run opens the log and takes steps until the power fails.
func (l *life) run(steps int) error {
	err := l.open()
	for i := 0; i < steps && err == nil; i++ {
		err = l.step()
	}
	return err
}

// crash ends a life and begins another, in which the power fails after left operations.
func (l *life) crash(rng *rand.Rand, left int) {
	if rng.IntN(4) == 0 {
		l.fs.Kill() // unsynced writes remain readable, but are not durable
	} else {
		l.fs.Crash(rng)
	}
	l.left = left
}

// mended returns nil for an error that the loss of power explains.
func mended(err error) error {
	if errors.Is(err, errPower) {
		return nil
	}
	return err
}

// The power fails at every operation of a script, and then at every operation of the recovery that
// follows; the third Open finds everything that was acknowledged and a prefix of the rest.
func TestCrashAtEveryOperation(t *testing.T) {
	count := newLife(1)
	require.NoError(t, count.run(18))
	require.Greater(t, count.done, 60, "the script must have enough operations")
	for at := range count.done {
		for again := 0; ; again++ {
			l, rng := newLife(1), newRNG(uint64(at), uint64(again))
			l.left = at
			require.NoError(t, mended(l.run(18)), "power off after %d", at)
			l.crash(rng, again)
			err := l.open()
			require.NoError(t, mended(err), "power off after %d, then %d", at, again)
			l.crash(rng, -1)
			require.NoError(t, l.run(3), "power off after %d, then %d", at, again)
			if err == nil {
				break // the recovery takes fewer operations
			}
		}
	}
}

// The power fails while a batch is written, so that the sector is not written into which the last save's fixed part
// extends. Recovery must not take the save with zeros in place of the rest, its head for example.
func TestTornSave(t *testing.T) {
	for split := 8; split < saveSize; split += 8 { // bytes of the save in the sector that is written
		fs := vfs.NewMem()
		l := open(t, fs)
		m := model{}.keep(t, l, entries(1, 1, 3))
		torn, first := l.active.end, entries(1, 4, 4)
		first.Records[0].Data = make([]byte, 2*sector-split-saveSize-recordSize)
		last := Save{Head: first.Head}
		last.Head.Commit = 4 // the head's copy need not be written for that
		m.keep(t, l, first, last)
		fs.Kill()
		require.NoError(t, fs.Damage(path.Join(dir, segmentName(1)), torn+2*sector, make([]byte, sector)))
		require.NoError(t, m.apply(first).compare(open(t, fs), 0), "%d bytes were written", split)
	}
}

// Each of many random lives ends with a loss of power or a kill at a random operation.
func TestManyLives(t *testing.T) {
	for seed := range uint64(150) {
		require.NoError(t, manyLives(seed, nil), "seed %d", seed)
	}
}

func manyLives(seed uint64, lie func(vfs.Op) bool) error {
	l, rng := newLife(seed), newRNG(seed, 2)
	l.lie = lie
	for i := range 15 {
		l.left = rng.IntN(60)
		if err := mended(l.run(30)); err != nil {
			return fmt.Errorf("life %d: %w", i, err)
		}
		l.crash(rng, -1)
	}
	return l.run(3)
}

// The crash test itself is tested: it must notice that syncs are missing.
func TestCrashTestCatchesPlantedBugs(t *testing.T) {
	named := func(kind vfs.OpKind, name string) func(vfs.Op) bool {
		return func(op vfs.Op) bool {
			return op.Kind == kind && (op.Name == dir+"/"+name) == (name == HeadName || name == "")
		}
	}
	for name, lie := range map[string]func(vfs.Op) bool{
		"a segment is not synced": named(vfs.OpSync, "other than head"),
		"the head is not synced":  named(vfs.OpSync, HeadName),
		"no directory is synced":  func(op vfs.Op) bool { return op.Kind == vfs.OpSyncDir },
	} {
		t.Run(name, func(t *testing.T) {
			caught := 0
			for seed := range uint64(30) {
				if manyLives(seed, lie) != nil {
					caught++
				}
			}
			assert.Greater(t, caught, 5, "of 30")
		})
	}
}

// After a failed sync the log retries nothing and returns the error from every call (F12). The save
// may be readable when the log is reopened; Open then writes it again, so that the next crash does
// not lose it.
func TestFailedSyncEndsTheLog(t *testing.T) {
	for seed := range uint64(40) {
		l, rng := newLife(seed), newRNG(seed, 2)
		require.NoError(t, l.run(20))
		broken, well := errors.New("broken"), int(seed%4/2) // successful syncs before the one that fails
		l.fs.SetHook(func(op vfs.Op) error {
			if op.Kind == vfs.OpSync {
				if well--; well == -1 {
					return broken
				}
			}
			return nil
		})
		s := entries(900, l.model.last().Op+1, l.model.last().Op+2*(seed%2)) // some with records, some with a head alone
		l.maybe = []model{l.model.apply(s)}
		err := l.log.Save([]Save{s})
		require.ErrorIs(t, err, broken)
		assert.ErrorIs(t, l.log.Save([]Save{s}), broken)
		assert.ErrorIs(t, l.log.Mark(), broken)
		_, err = l.log.Compact(1, 1, 0)
		assert.ErrorIs(t, err, broken)
		_, err = l.log.Read(1, 1, 1)
		assert.ErrorIs(t, err, broken)
		require.NoError(t, l.log.Close())

		require.NoError(t, l.open())
		l.fs.Crash(rng)
		require.NoError(t, l.open())
	}
}
