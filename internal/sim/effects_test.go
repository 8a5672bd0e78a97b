package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/vsr"
)

// tried is one fault of a run.
type tried struct {
	fault.Fault
	refused bool
	took    bool // took effect
}

// lasts reports whether the fault lasts at that time.
func (f *tried) lasts(at time.Duration) bool {
	return !f.refused && at >= f.At && (f.For == 0 || at <= f.At+f.For)
}

// effectWatcher is a Watcher that finds out which faults take effect: a message is cut off, late or lost, a save is
// slow, a read fails, a process ends, starts, or reads damaged bytes.
type effectWatcher struct {
	s     *Sim
	all   []*tried
	links map[uint64][2]int // sender and receiver of each message
}

// took marks the faults of these kinds that host suffers from.
func (e *effectWatcher) took(host int, kinds ...fault.Kind) {
	for _, f := range e.all {
		if f.Host == host && slices.Contains(kinds, f.Kind) && f.lasts(e.s.Now()) {
			f.took = true
		}
	}
}

// since is took for faults of any earlier time.
func (e *effectWatcher) since(host int, kinds ...fault.Kind) {
	for _, f := range e.all {
		f.took = f.took || f.Host == host && !f.refused && slices.Contains(kinds, f.Kind)
	}
}

func (*effectWatcher) Executed(time.Duration, string, smr.Op, []byte, smr.StateMachine) {}

func (e *effectWatcher) Faulted(at time.Duration, f *fault.Fault) {
	x := &tried{Fault: *f}
	x.At = at
	p := e.s.hosts[f.Host].proc
	switch f.Kind {
	case fault.Crash, fault.PowerCut, fault.Stop, fault.Wipe, fault.Pause, fault.Suspend, fault.SlowTurns,
		fault.HangApply, fault.ClockJump:
		x.took = p != nil
	case fault.HandOver:
		x.took = p != nil && p.seen.Phase == vsr.Primary && e.s.p.Replicas > 1
	}
	e.all = append(e.all, x)
}

func (e *effectWatcher) Note(_ time.Duration, host int, what string, _ []any) {
	switch what {
	case noteRefused:
		last := e.all[len(e.all)-1]
		last.refused, last.took = true, false
	case noteGoesDown:
		e.since(host, fault.CrashIn)
	case "forges attempt %d":
		e.since(host, fault.ForgeRequest)
	case "has another %s":
		e.since(host, fault.RemoveFolder, fault.OlderFolder, fault.OthersFolder)
	case "fails a sync":
		e.since(host, fault.FailSync)
	case "fails: %v":
		e.took(host, fault.FailReads, fault.FailWrites, fault.NoDescriptors)
	case noteSaves, noteSaved:
		e.took(host, fault.SlowDisk)
	case "refuses %s":
		e.took(host, fault.ForeignStart, fault.SecondStart)
	case noteLost, noteStops, "starts in view %d, log after %v to %v":
		e.since(host, fault.RotLog, fault.RotHead, fault.RotSnapshot, fault.LostInLog, fault.LostInHead,
			fault.LostInSnapshot, fault.MisplacedInLog, fault.MisplacedInSnapshot, fault.StrayWrite, fault.LostTail)
	}
}

func (e *effectWatcher) Sent(at time.Duration, id uint64, from, to int, _ vsr.Message) {
	e.links[id] = [2]int{from, to}
	for _, f := range e.all {
		f.took = f.took || (f.Kind == fault.SlowLink || f.Kind == fault.NarrowLink) && f.Host == from && f.To == to &&
			f.lasts(at)
	}
}

func (e *effectWatcher) Ended(at time.Duration, id uint64, fate world.Fate) {
	from, to := e.links[id][0], e.links[id][1]
	for _, f := range e.all {
		if f.took || !f.lasts(at) {
			continue
		}
		f.took = fate == world.Lost && f.Kind == fault.LossyLink && f.Host == from && f.To == to ||
			fate == world.CutOff && (f.Kind == fault.Cut && f.Host == from && f.To == to ||
				f.Cuts(from, to, len(e.s.hosts)))
	}
}

func (e *effectWatcher) Turned(_ time.Duration, host int, _ *vsr.State) {
	if e.s.hosts[host].proc.shell.Writer.Full() {
		e.took(host, fault.FullDisk)
	}
}

func (e *effectWatcher) Linked(at time.Duration, from, to int, whole bool) {
	if whole {
		for _, f := range e.all {
			f.took = f.took || f.Kind == fault.Join && (f.Host == from || f.Host == to) && f.At == at
		}
	}
}

func (e *effectWatcher) Called(time.Duration, *Call)    {}
func (e *effectWatcher) Returned(time.Duration, *Call)  {}
func (e *effectWatcher) Lived(time.Duration, int, bool) {}

// tallies count faults by kind.
type tallies struct {
	made, refused, took, seeds [fault.Kinds]int // took: with an effect; seeds: in which one had
}

// Every kind of fault that chance makes takes effect in some runs, and most faults do.
func TestFaultsTakeEffect(t *testing.T) {
	singleThreaded(t)
	n := effectsOf(t, 60, func(i int, p *Setup, hazards *Hazards) {
		p.Trouble = min(p.Trouble, 30*time.Second)
		switch mean := &hazards.Every[i%len(hazards.Every)]; {
		case p.Volatile:
		case i%3 == 0: // three of the seven may lose their memory
			p.Replicas, p.Qr, p.Qv = 7, 0, 0
			p.SnapshotEvery, p.KeepLog, p.SegmentSize, p.ChunkSize = 20, 0, 4<<10, 64
			hazards.Every[misdirectedWrites], hazards.Every[rot], hazards.SparesLog = 700*time.Millisecond,
				700*time.Millisecond, i%2 == 0
			if i%4 == 3 {
				hazards.Every[touches] = 700 * time.Millisecond
			}
		case *mean == 0: // so that each source has a few seeds
			*mean = time.Second
		}
	})
	made, took := 0, 0
	for kind := fault.Crash; kind < fault.Kinds; kind++ {
		if kind.Manual() {
			continue
		}
		made, took = made+n.made[kind], took+n.took[kind]
		assert.NotZero(t, n.took[kind], "%v never takes effect", kind)
		if kind.NamesLink() {
			assert.Zero(t, n.refused[kind], "%v of no link", kind)
		}
	}
	assert.Greater(t, took, made*3/4, "of %d faults", made)
}

func TestEveryKindHasAnEffect(t *testing.T) {
	for kind := fault.Crash; kind < fault.Kinds; kind++ {
		assert.NotNil(t, effects[kind], kind)
	}
}

// effectsOf runs seeds in altered worlds, and counts and logs the faults.
func effectsOf(t *testing.T, seeds int, alter func(i int, p *Setup, hazards *Hazards)) (n tallies) {
	damaged, counted := 0, 0
	for i := range seeds {
		p, hazards := Draw(uint64(i + 1))
		alter(i, p, hazards)
		p.Lists = drawCalls(p.Seed)
		e := &effectWatcher{links: map[uint64][2]int{}}
		s, err := New(p, p.Lists.Work(), e)
		require.NoError(t, err)
		e.s = s
		s.runFaults(hazards, nil)
		require.Nil(t, s.Violation(), "seed %d", i+1)
		n.add(e.all)
		damaged, counted = damaged+s.stats.Damaged, counted+s.stats.Faults
	}
	t.Logf("%d seeds, %d faults, memory lost by damage %d times\n%s", seeds, counted, damaged, &n)
	return n
}

// add counts the faults of a run.
func (n *tallies) add(all []*tried) {
	var here [fault.Kinds]bool
	for _, f := range all {
		switch {
		case f.refused:
			n.refused[f.Kind]++
			continue
		case f.took && !here[f.Kind]:
			here[f.Kind] = true
			n.seeds[f.Kind]++
		}
		if n.made[f.Kind]++; f.took {
			n.took[f.Kind]++
		}
	}
}

func (n *tallies) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-22s %6s %8s %12s %9s\n", "", "made", "refused", "took effect", "in seeds")
	for kind := fault.Crash; kind < fault.Kinds; kind++ {
		if n.made[kind]+n.refused[kind] > 0 {
			fmt.Fprintf(&b, "%-22v %6d %8d %12d %9d\n", kind, n.made[kind], n.refused[kind], n.took[kind],
				n.seeds[kind])
		}
	}
	return b.String()
}
