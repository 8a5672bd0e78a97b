package sim

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const ms = time.Millisecond

// One that is over does not end another that lasts, whichever began first.
func TestSpells(t *testing.T) {
	var x spells
	assert.False(t, x.last(0))
	x.begin(0, 100*ms, 5)
	x.begin(50*ms, 10*time.Second, 7)
	assert.EqualValues(t, 7, x.much(150*ms), "the second goes on after the end of the first")
	x.begin(time.Second, time.Second, 3)
	assert.EqualValues(t, 3, x.much(1500*ms))
	assert.EqualValues(t, 7, x.much(2*time.Second), "the longer one after the end of the shorter")
	assert.False(t, x.last(10050*ms))
	x.begin(time.Minute, 0, 4)
	assert.EqualValues(t, 4, x.much(1000*time.Hour), "0 is to the end")
	x.begin(2*time.Minute, 1000*time.Hour, 0)
	assert.False(t, x.last(3*time.Minute), "nothing of it is the end of all")
}

// Faults of one kind at one place do not end each other early.
func TestFaultsThatOverlap(t *testing.T) {
	s, p := newDriven(t)
	backup := (p + 1) % 3
	h, l := s.hosts[backup], s.links[p][backup]
	whole := func() int64 { h.fill(); return h.full.much(s.now) }
	kindsThatLast := map[Kind]func() int64{
		SlowLink:   func() int64 { return l.slow.much(s.now) },
		LossyLink:  func() int64 { return l.lossy.much(s.now) },
		SlowDisk:   func() int64 { return h.slow.much(s.now) },
		SlowTurns:  func() int64 { return h.dull.much(s.now) },
		FullDisk:   whole,
		FailReads:  func() int64 { return h.ailing.noReads.much(s.now) },
		FailWrites: func() int64 { return h.ailing.noWrites.much(s.now) },
		Cut: func() int64 {
			if l.cut() {
				return 1
			}
			return 0
		},
		Suspend: func() int64 { return int64(max(h.pausedUntil-s.now, 0)) },
	}
	for _, kind := range slices.Sorted(maps.Keys(kindsThatLast)) {
		much := kindsThatLast[kind]
		f := Fault{Kind: kind, Host: backup, For: 2 * ms, N: 1 << 20}
		if kind.hasTo() {
			f.Host, f.To = p, backup
		}
		require.NoError(t, s.Do(f))
		s.RunFor(ms)
		f.For, f.N = 20*ms, 1<<21
		require.NoError(t, s.Do(f), kind)
		s.RunFor(5 * ms)
		assert.NotZero(t, much(), "%v ends with the one before it", kind)
		s.RunFor(20 * ms)
		assert.Zero(t, much(), "%v does not end", kind)
		s.RunFor(5 * time.Second) // its process starts again, if it has stopped
		if f.For = 0; s.Status(backup).Up {
			require.NoError(t, s.Do(f), kind)
			s.RunFor(time.Minute)
			assert.NotZero(t, much(), "%v for 0 ends", kind)
			s.Do(Fault{Kind: Resume, Host: backup})
			s.Do(Fault{Kind: Space, Host: backup})
			s.Do(Fault{Kind: Mend, Host: p, To: backup})
			f.N, f.For = 0, ms
			if kind != FullDisk {
				require.NoError(t, s.Do(f), kind)
			}
			h.ailing.noReads, h.ailing.noWrites = nil, nil
			s.RunFor(5 * time.Second)
			assert.Zero(t, much(), "%v is not ended", kind)
		}
	}
	require.NoError(t, s.Converge(time.Minute))
	assert.Nil(t, s.Violation())
}

// Rejoin ends what was done to a link, and what was done before it does not end what is done later.
func TestRejoinEndsOnlyWhatWas(t *testing.T) {
	s, _ := newDriven(t)
	l := s.links[0][1]
	for _, f := range []Fault{{Kind: SlowLink, To: 1, N: 1e6, For: 100 * ms}, {Kind: LossyLink, To: 1, N: 10, For: 100 * ms}, {Kind: Cut, To: 1, For: 100 * ms}} {
		require.NoError(t, s.Do(f))
		s.Rejoin()
		assert.False(t, l.cut() || l.slow.last(s.now) || l.lossy.last(s.now))
		f.For = 10 * time.Second
		require.NoError(t, s.Do(f))
		s.RunFor(time.Second)
		assert.True(t, l.cut() || l.slow.last(s.now) || l.lossy.last(s.now), f.Kind)
		s.RunFor(10 * time.Second)
	}
}

// A suspended machine's monotonic clock stands still, and goes on from there: also if suspensions
// overlap, or one ends early.
func TestSuspendedClock(t *testing.T) {
	s, p := newDriven(t)
	h := s.hosts[p]
	was := h.now()
	require.NoError(t, s.Do(Fault{Kind: Suspend, Host: p, For: 100 * ms}))
	s.RunFor(50 * ms)
	assert.Equal(t, was, h.now())
	require.NoError(t, s.Do(Fault{Kind: Suspend, Host: p, For: time.Second}))
	s.RunFor(1050 * ms)
	assert.InDelta(t, 50*ms, h.now().Sub(was), float64(ms))
	require.NoError(t, s.Do(Fault{Kind: Suspend, Host: p}))
	s.RunFor(time.Hour)
	assert.True(t, s.Status(p).Paused)
	require.NoError(t, s.Do(Fault{Kind: Resume, Host: p}))
	assert.InDelta(t, 50*ms, h.now().Sub(was), float64(ms))
	require.NoError(t, s.Converge(10*time.Second))
	assert.Nil(t, s.Violation())
}
