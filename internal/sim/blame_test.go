package sim

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
)

// When one thing strikes one member of a group, the member names the resource, and the others name the member, for as
// long as it lasts: checkBlame looks at every Status. Afterwards no Status reports a problem.
func TestWhatStrikesIsNamed(t *testing.T) {
	blows := []struct {
		what ailment
		f    fault.Fault
		ends fault.Fault
		busy bool // without work it does not show
	}{
		{down, fault.Fault{Kind: fault.Crash}, fault.Fault{Kind: fault.Start}, false},
		{paused, fault.Fault{Kind: fault.Pause}, fault.Fault{Kind: fault.Resume}, false},
		{paused, fault.Fault{Kind: fault.Suspend}, fault.Fault{Kind: fault.Resume}, false},
		{isolated, fault.Fault{Kind: fault.Isolate}, fault.Fault{Kind: fault.Join}, false},
		{deaf, fault.Fault{Kind: fault.Deafen}, fault.Fault{Kind: fault.Join}, false},
		{hungDisk, fault.Fault{Kind: fault.SlowDisk, N: int64(10000 * time.Hour)}, fault.Fault{Kind: fault.SlowDisk}, true},
		{fullDisk, fault.Fault{Kind: fault.FullDisk, N: 1}, fault.Fault{Kind: fault.Space}, true},
		{fullDisk, fault.Fault{Kind: fault.NoDescriptors, For: 12 * time.Second}, fault.Fault{}, true},
		{hungApply, fault.Fault{Kind: fault.HangApply, For: 12 * time.Second}, fault.Fault{}, true},
	}
	for _, n := range []int{2, 3, 4, 5} {
		for _, x := range blows {
			for _, at := range []string{"the primary", "a backup"} {
				for _, busy := range []bool{false, true} {
					if n == 2 && (x.what == isolated || x.what == deaf) || x.busy && !busy {
						continue
					}
					t.Run(fmt.Sprintf("%v/%d members/%s/busy %t", x.f.Kind, n, at, busy), func(t *testing.T) {
						setup := Calm(1)
						setup.Replicas, setup.SnapshotEvery, setup.SegmentSize = n, 1<<30, 4<<10
						s, p := newDrivenIn(t, setup)
						s.blame.on = true
						if at == "a backup" {
							p = (p + 1) % n
						}
						var calls callers
						calls.goOn(s, 100*time.Millisecond, true) // the group is confirmed
						x.f.Host, x.ends.Host = p, p
						require.NoError(t, s.Do(x.f))
						calls.goOn(s, 12*time.Second, busy)
						require.Nil(t, s.Violation(), "%v", s.Violation())
						assert.NotZero(t, s.blame.looks[x.what], "%v", s.blame.looks)
						if x.ends.Kind != 0 {
							require.NoError(t, s.Do(x.ends))
						}
						if x.what == hungDisk {
							s.hosts[p].slowUntil = 0
							s.hosts[p].hasten(func(time.Duration) bool { return true })
						}
						calls.goOn(s, 12*time.Second, busy)
						require.Nil(t, s.Violation(), "%v", s.Violation())
						for i := range n {
							assert.Empty(t, s.Status(i).State.Problem)
						}
					})
				}
			}
		}
	}
}

// callers counts the calls that it has made.
type callers int

// goOn lets time pass, in which callers propose at every member, if it is busy.
func (n *callers) goOn(s *Sim, d time.Duration, busy bool) {
	var open []*Call
	for end := s.Now() + d; s.Now() < end && s.err == nil; {
		for i := range s.hosts {
			if !busy {
				continue
			}
			*n++
			body := []byte{1, byte(i), byte(*n >> 8), byte(*n)}
			if c := s.Call(i, int(*n), Operation{Body: body}); c != nil {
				open = append(open, c)
			}
		}
		s.RunFor(100 * time.Millisecond)
	}
	for _, c := range open {
		s.Cancel(c)
	}
}

// In worlds of every sort, one thing after the other strikes one member at a time, for some seconds each.
func TestWhatStrikesInTurnIsNamed(t *testing.T) {
	singleThreaded(t)
	seeds := 40
	if testing.Short() {
		seeds = 12
	}
	kinds := []fault.Fault{{Kind: fault.Crash}, {Kind: fault.Pause}, {Kind: fault.Suspend}, {Kind: fault.Isolate},
		{Kind: fault.Deafen}, {Kind: fault.SlowDisk, N: int64(8 * time.Second)}, {Kind: fault.FullDisk, N: 100},
		{Kind: fault.NoDescriptors}, {Kind: fault.HangApply}}
	var looks [len(ailments)]int
	for seed := range uint64(seeds) {
		p, _ := Draw(seed + 1)
		p.Lists, p.Unhealed = drawCalls(p.Seed), Unhealed{}
		r := world.NewStream(p.Seed, "blows")
		x := &Schedule{Setup: *p}
		for at := 3 * time.Second; at < 40*time.Second; at += r.Between(8*time.Second, 15*time.Second) {
			f := world.OneOf(r, kinds...)
			f.At, f.Host, f.Seed, f.For = at, r.IntN(p.Replicas), r.Uint64(), r.Between(3*time.Second, 8*time.Second)
			if !p.Volatile || f.Kind != fault.Crash {
				x.Faults = append(x.Faults, f)
			}
		}
		x.Setup.Trouble = 50 * time.Second
		s, err := New(&x.Setup, p.Lists.Work(), nil)
		require.NoError(t, err)
		s.blame.on = true
		s.guarded(func() {
			s.runFaults(nil, x.Faults)
			s.Settle()
		})
		require.Nil(t, s.Violation(), "seed %d: %v", seed+1, s.Violation())
		for i, n := range s.blame.looks {
			looks[i] += n
		}
	}
	t.Log(looks)
	for i, n := range looks {
		if x := ailment(i); x != well && x != mute && !testing.Short() {
			assert.NotZero(t, n, "%s", ailments[i].name)
		}
	}
}
