package sim

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/sim/fault"
)

const ms = time.Millisecond

// Faults of one kind at one place do not end each other early.
func TestFaultsThatOverlap(t *testing.T) {
	s, p := newDriven(t)
	backup := (p + 1) % 3
	h, l := s.hosts[backup], s.net.Links[p][backup]
	whole := func() int64 { h.fill(); return h.space.Amount(s.Now()) }
	kindsThatLast := map[fault.Kind]func() int64{
		fault.SlowLink:   func() int64 { return l.Slow.Amount(s.Now()) },
		fault.NarrowLink: func() int64 { return l.Narrow.Amount(s.Now()) },
		fault.LossyLink:  func() int64 { return l.Lossy.Amount(s.Now()) },
		fault.SlowDisk:   func() int64 { return h.slowSaves.Amount(s.Now()) },
		fault.SlowTurns:  func() int64 { return h.slowTurns.Amount(s.Now()) },
		fault.HangApply:  func() int64 { return h.hung.Amount(s.Now()) },
		fault.FullDisk:   whole,
		fault.FailReads:  func() int64 { return h.faults.noReads.Amount(s.Now()) },
		fault.FailWrites: func() int64 { return h.faults.noWrites.Amount(s.Now()) },

		fault.NoDescriptors: func() int64 { return h.faults.noFiles.Amount(s.Now()) },
		fault.Cut: func() int64 {
			if l.IsCut() {
				return 1
			}
			return 0
		},
		fault.Suspend: func() int64 { return int64(max(h.pausedUntil-s.Now(), 0)) },
	}
	for _, kind := range slices.Sorted(maps.Keys(kindsThatLast)) {
		much := kindsThatLast[kind]
		f := fault.Fault{Kind: kind, Host: backup, For: 2 * ms, N: 1 << 20}
		if kind.NamesTwo() {
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
		s.RunFor(5 * time.Second) // its process restarts if it has stopped
		if f.For = 0; s.Status(backup).Up {
			require.NoError(t, s.Do(f), kind)
			s.RunFor(time.Minute)
			assert.NotZero(t, much(), "%v for 0 ends", kind)
			s.Do(fault.Fault{Kind: fault.Resume, Host: backup})
			s.Do(fault.Fault{Kind: fault.Space, Host: backup})
			s.Do(fault.Fault{Kind: fault.Mend, Host: p, To: backup})
			f.N, f.For = 0, ms
			if kind != fault.FullDisk {
				require.NoError(t, s.Do(f), kind)
			}
			h.faults.noReads, h.faults.noWrites, h.faults.noFiles, h.hung = nil, nil, nil, nil
			s.RunFor(5 * time.Second)
			assert.Zero(t, much(), "%v is not ended", kind)
		}
	}
	require.NoError(t, s.Converge(time.Minute))
	assert.Nil(t, s.Violation())
}

// Rejoin ends the faults of a link, and their ends do not end later faults.
func TestRejoinEndsOnlyWhatWas(t *testing.T) {
	s, _ := newDriven(t)
	l := s.net.Links[0][1]
	for _, f := range []fault.Fault{{Kind: fault.SlowLink, To: 1, N: 1e6, For: 100 * ms},
		{Kind: fault.LossyLink, To: 1, N: 10, For: 100 * ms}, {Kind: fault.Cut, To: 1, For: 100 * ms}} {
		require.NoError(t, s.Do(f))
		s.Rejoin()
		assert.False(t, l.IsCut() || l.Slow.Active(s.Now()) || l.Lossy.Active(s.Now()))
		f.For = 10 * time.Second
		require.NoError(t, s.Do(f))
		s.RunFor(time.Second)
		assert.True(t, l.IsCut() || l.Slow.Active(s.Now()) || l.Lossy.Active(s.Now()), f.Kind)
		s.RunFor(10 * time.Second)
	}
}

// The monotonic clock of a suspended machine stands still and goes on from there, also if suspensions
// overlap or end early.
func TestSuspendedClock(t *testing.T) {
	s, p := newDriven(t)
	h := s.hosts[p]
	was := h.now()
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Suspend, Host: p, For: 100 * ms}))
	s.RunFor(50 * ms)
	assert.Equal(t, was, h.now())
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Suspend, Host: p, For: time.Second}))
	s.RunFor(1050 * ms)
	assert.InDelta(t, 50*ms, h.now().Sub(was), float64(ms))
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Suspend, Host: p}))
	s.RunFor(time.Hour)
	assert.True(t, s.Status(p).Paused)
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Resume, Host: p}))
	assert.InDelta(t, 50*ms, h.now().Sub(was), float64(ms))
	require.NoError(t, s.Converge(10*time.Second))
	assert.Nil(t, s.Violation())
}
