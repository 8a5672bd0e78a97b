package sim

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/sim/fault"
)

// S6: a member that lost the end of its log, with entries that it had acknowledged, is noticed and stops. The others
// name it, and go on.
func TestLostTailIsNoticed(t *testing.T) {
	s, p := newDriven(t)
	backup := (p + 1) % 3
	c := s.Call(p, 1, numbered(1))
	saved := func() bool { return c.Outcome == Answered && uint64(s.hosts[backup].durable().Last.Op) >= c.At }
	require.True(t, s.RunUntil(saved, time.Second))
	require.NoError(t, s.Do(fault.Fault{Kind: fault.LostTail, Host: backup}))
	require.NoError(t, s.Do(fault.Fault{Kind: fault.Start, Host: backup}))
	s.RunFor(time.Second)
	assert.False(t, s.Status(backup).Up, "it has stopped by itself")
	assert.True(t, s.Status(backup).Lost)
	assert.Contains(t, s.Status(p).State.Problem, fault.Name(backup)+" has lost its memory")
	c = s.Call(p, 1, numbered(2))
	s.RunFor(time.Second)
	assert.Equal(t, Answered, c.Outcome)
	assert.Nil(t, s.Violation())
}

// In many runs members lose the ends of their logs. Nothing acknowledged is lost, unless all that remembered it have
// crashed, and most losses are noticed.
func TestLostTails(t *testing.T) {
	singleThreaded(t)
	seeds := 100
	if testing.Short() {
		seeds = 20
	}
	var total Stats
	struck, beyond := 0, 0
	for i := range seeds {
		p, hazards := Draw(uint64(i + 1))
		p.Lists = drawCalls(p.Seed)
		p.Trouble = min(p.Trouble, 20*time.Second)
		hazards.Every[lostTails] = 300 * time.Millisecond
		if p.Volatile {
			continue
		}
		r := Run(&Schedule{Setup: *p}, hazards, p.Lists.Work(), nil)
		require.Nil(t, r.Violation, "seed %d", i+1)
		total = total.Plus(r.Stats)
		struck += r.Happened()[fault.LostTail]
		if r.Beyond {
			beyond++
		}
	}
	t.Logf("%d ends of logs lost, %d losses noticed, %d of %d runs beyond the budget", struck, total.Noticed, beyond,
		seeds)
	assert.NotZero(t, total.Noticed)
}

// S2: if all members lose their memory one after the other, each when those before have reported that the group exists,
// they form no other group.
func TestOblivion(t *testing.T) {
	singleThreaded(t)
	seeds := 60
	if testing.Short() {
		seeds = 15
	}
	all := 0
	for i := range seeds {
		p, hazards := Draw(uint64(i + 1))
		p.Lists = drawCalls(p.Seed)
		p.Trouble, hazards.Oblivion = 30*time.Second, true
		s, err := New(p, p.Lists.Work(), nil)
		require.NoError(t, err)
		s.runFaults(hazards, nil)
		s.Settle()
		require.Nil(t, s.Violation(), "seed %d", i+1)
		if !slices.ContainsFunc(s.hosts, func(h *host) bool { return !h.lost }) {
			all++
		}
	}
	t.Logf("in %d of %d runs all members have lost their memory", all, seeds)
	assert.Greater(t, all, seeds/4)
}
