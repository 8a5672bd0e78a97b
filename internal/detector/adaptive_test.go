package detector

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	ms        = time.Millisecond
	heartbeat = 50 * ms // Config's default
)

// either is smr.Detector, which both detectors implement.
type either interface {
	Reset(now time.Time)
	Heard(now time.Time)
	Deadline() time.Time
}

var dawn = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func TestDetectorArguments(t *testing.T) {
	for _, c := range []struct {
		d           either
		first, last time.Duration // trust after a reset, and once learnt from a steady primary
	}{
		{NewFixed(0), 500 * ms, 500 * ms},
		{NewFixed(-1), 500 * ms, 500 * ms},
		{NewFixed(7 * ms), 7 * ms, 7 * ms},
		{NewFixed(math.MaxInt64), math.MaxInt64, math.MaxInt64},
		{NewAdaptive(0, 0), 750 * ms, 250 * ms},
		{NewAdaptive(-1, -1), 750 * ms, 250 * ms},
		{NewAdaptive(0, 600*ms), 600 * ms, 250 * ms},
		{NewAdaptive(0, 100*ms), 100 * ms, 100 * ms},
		{NewAdaptive(time.Second, 0), 3 * time.Second, time.Second},
		{NewAdaptive(time.Second, 500*ms), time.Second, time.Second},
		{NewAdaptive(math.MaxInt64, 0), math.MaxInt64, math.MaxInt64},
	} {
		c.d.Reset(dawn)
		require.Equal(t, dawn.Add(c.first), c.d.Deadline(), "%+v", c)
		now := steady(c.d, dawn, 200, heartbeat)
		require.Equal(t, now.Add(c.last), c.d.Deadline(), "%+v", c)
	}
}

// The default detector settles on its minimum on a LAN, so that a failover is quick.
func TestAdaptiveDetectorIsCautiousFirstAndThenQuick(t *testing.T) {
	d := NewAdaptive(0, 0)
	d.Reset(dawn)
	now := steady(d, dawn.Add(3*time.Second), 15, heartbeat)
	require.Equal(t, 750*ms, d.Deadline().Sub(now), "heard for less than 750 ms")
	now = steady(d, now, 2, heartbeat)
	require.Equal(t, 250*ms, d.Deadline().Sub(now), "heard for longer")
	d.Reset(now)
	require.Equal(t, 750*ms, d.Deadline().Sub(now), "a new primary")
}

// A primary whose heartbeats are 400 ms apart is busy for a minute, and then idle again. Neither
// the burst nor a primary that was never idle so far may shorten what a heartbeat is given.
func TestAdaptiveDetectorLearnsNothingFromBursts(t *testing.T) {
	d := NewAdaptive(0, 0)
	d.Reset(dawn)
	now := steady(d, dawn, 20, 400*ms)
	before := d.Deadline().Sub(now)
	require.Equal(t, 1200*ms, before)
	now = steady(d, now, 600_000, 100*time.Microsecond)
	require.Equal(t, before, d.Deadline().Sub(now), "the burst made it forget the heartbeats")

	d.Reset(now)
	now = steady(d, now, 100_000, 10*time.Microsecond)
	require.Equal(t, 250*ms, d.Deadline().Sub(now), "trust after nothing but a burst")
}

// Messages that were held up arrive together; the silence before them counts once and in full.
func TestAdaptiveDetectorLearnsFromStalls(t *testing.T) {
	d := NewAdaptive(0, 0)
	d.Reset(dawn)
	now := steady(d, dawn, 100, heartbeat)
	for range 10 {
		now = now.Add(240 * ms)
		now = steady(d, now, 4, 10*time.Microsecond)
	}
	require.Greater(t, d.Deadline().Sub(now), 400*ms, "ten stalls of 240 ms")
	now = steady(d, now, 1000, heartbeat)
	require.Equal(t, 250*ms, d.Deadline().Sub(now), "fifty quiet seconds later")
}

// link is the delay and loss of a link.
type link struct {
	name   string
	jitter func(r *rand.Rand) time.Duration
	loss   float64

	wrong int           // false suspicions allowed in an hour
	trust time.Duration // the longest on average
}

// An hour of heartbeats over links of several kinds: how often a living primary is suspected, and
// how long a dead one would be trusted.
func TestAdaptiveDetectorOverLossyLinks(t *testing.T) {
	spread := func(d time.Duration) func(r *rand.Rand) time.Duration {
		return func(r *rand.Rand) time.Duration { return time.Duration(r.ExpFloat64() * float64(d)) }
	}
	for _, n := range []link{
		{"loopback", spread(100 * time.Microsecond), 0, 0, 260 * ms},
		{"lan", spread(2 * ms), 0.001, 0, 260 * ms},
		{"wan", spread(20 * ms), 0.01, 2, 350 * ms},
		{"radio", spread(60 * ms), 0.05, 6, 700 * ms},
		{"one in five lost", spread(5 * ms), 0.20, 2, 400 * ms},
		{"one in two lost", spread(5 * ms), 0.50, 6, 800 * ms},
	} {
		t.Run(n.name, func(t *testing.T) {
			wrong, trust := n.hour(NewAdaptive(0, 0), rand.New(rand.NewPCG(1, 2)))
			fixed, _ := n.hour(NewFixed(250*ms), rand.New(rand.NewPCG(1, 2)))
			t.Logf("%d false suspicions, trust %v on average; with 250 ms always, %d", wrong, trust, fixed)
			require.LessOrEqual(t, wrong, fixed, "false suspicions, against 250 ms always")
			require.LessOrEqual(t, wrong, n.wrong, "false suspicions")
			require.LessOrEqual(t, trust, n.trust, "trust on average")
		})
	}
}

// hour sends an hour of heartbeats to d and returns how often it was wrong, and its mean trust.
func (n link) hour(d either, r *rand.Rand) (wrong int, mean time.Duration) {
	d.Reset(dawn)
	last, sum, count := dawn, time.Duration(0), 0
	for at := dawn; at.Before(dawn.Add(time.Hour)); at = at.Add(heartbeat) {
		if r.Float64() < n.loss {
			continue
		}
		now := at.Add(n.jitter(r))
		if now.Before(last) {
			now = last // behind the one before it on the same connection
		}
		if now.After(d.Deadline()) {
			wrong++
		}
		d.Heard(now)
		last, sum, count = now, sum+d.Deadline().Sub(now), count+1
	}
	return wrong, sum / time.Duration(count)
}

// plainAdaptive is the adaptive detector as its definition has it: it keeps every silence, and weighs
// them all anew each time.
type plainAdaptive struct {
	min, max, caution time.Duration
	heard             []time.Time
	last              time.Time
}

func (p *plainAdaptive) Reset(now time.Time) { p.heard, p.last = nil, now }
func (p *plainAdaptive) Heard(now time.Time) { p.heard, p.last = append(p.heard, now), now }

func (p *plainAdaptive) Deadline() time.Time {
	var silences, weights []float64
	for i := 1; i < len(p.heard); i++ {
		if gap := p.heard[i].Sub(p.heard[i-1]); gap >= p.min/8 {
			silences = append(silences, float64(min(gap, p.max)))
		}
	}
	for i := range silences {
		weight := 1 / 128. * math.Pow(127/128., float64(len(silences)-1-i))
		if i < 128 {
			weight = 1 / float64(min(len(silences), 128)) * math.Pow(127/128., math.Max(0, float64(len(silences)-128)))
		}
		weights = append(weights, weight)
	}
	var mean, variance float64
	for i, s := range silences {
		mean += weights[i] * s
	}
	for i, s := range silences {
		variance += weights[i] * (s - mean) * (s - mean)
	}
	trust := math.Min(math.Max(3*mean+6*math.Sqrt(variance), float64(p.min)), float64(p.max))
	if len(p.heard) == 0 || p.last.Sub(p.heard[0]) < p.caution {
		trust = math.Max(trust, float64(p.caution))
	}
	return p.last.Add(time.Duration(trust))
}

func TestAdaptiveDetectorAgainstItsDefinition(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 0))
		min := time.Duration(1 + r.Int64N(int64(time.Second)))
		max := min * time.Duration(1+r.IntN(20))
		d := NewAdaptive(min, max)
		p := &plainAdaptive{min: min, max: max, caution: 3 * min}
		if max < p.caution {
			p.caution = max
		}
		now := dawn
		d.Reset(now)
		p.Reset(now)
		scale := float64(min)
		for step := range 400 {
			switch r.IntN(100) {
			case 0:
				scale = float64(min) * math.Pow(10, float64(r.IntN(4)-2))
			case 1:
				now = now.Add(3 * max)
			}
			now = now.Add(time.Duration(r.ExpFloat64() * scale))
			if r.IntN(300) == 0 {
				d.Reset(now)
				p.Reset(now)
			} else {
				d.Heard(now)
				p.Heard(now)
			}
			require.WithinDuration(t, p.Deadline(), d.Deadline(), time.Microsecond, "seed %d, step %d", seed, step)
		}
	}
}

// steady lets d hear the primary count times, every apart, and returns when it last did.
func steady(d either, now time.Time, count int, every time.Duration) time.Time {
	for range count {
		now = now.Add(every)
		d.Heard(now)
	}
	return now
}

// FuzzAdaptiveDetector feeds any settings and any times that do not fall.
func FuzzAdaptiveDetector(f *testing.F) {
	f.Add(int64(0), int64(0), []byte{1, 200, 3, 0, 255, 255, 255, 7})
	f.Add(int64(250*ms), int64(2000*ms), binary.AppendUvarint(nil, uint64(heartbeat)<<1))
	f.Add(int64(math.MaxInt64), int64(1), []byte{1})
	f.Add(int64(250*ms), int64(2000*ms), bytes.Repeat(binary.AppendUvarint(nil, uint64(time.Second)<<1), 9))
	f.Fuzz(func(t *testing.T, min, max int64, gaps []byte) {
		d := NewAdaptive(time.Duration(min), time.Duration(max))
		lo, hi := adaptiveBounds(min, max)
		now := dawn
		d.Reset(now)
		for {
			trust := d.Deadline().Sub(now)
			require.True(t, lo <= trust && trust <= hi, "trust %v, not in [%v, %v]", trust, lo, hi)
			gap, n := binary.Uvarint(gaps)
			if n <= 0 {
				return
			}
			gaps = gaps[n:]
			now = now.Add(time.Duration(gap >> 1 % uint64(24*time.Hour)))
			if gap&1 == 0 {
				d.Heard(now)
			} else {
				d.Reset(now)
			}
		}
	})
}

// adaptiveBounds returns between what the trust lies, by the doc comment of NewAdaptiveDetector.
func adaptiveBounds(lo, hi int64) (time.Duration, time.Duration) {
	if lo <= 0 {
		lo = int64(250 * ms)
		if hi > 0 {
			lo = min(lo, hi)
		}
	}
	if hi <= 0 {
		hi = math.MaxInt64
		if lo <= hi/8 {
			hi = 8 * lo
		}
	}
	return time.Duration(lo), time.Duration(max(lo, hi))
}

func BenchmarkAdaptiveDetector(b *testing.B) {
	d := NewAdaptive(0, 0)
	now := dawn
	d.Reset(now)
	b.ReportAllocs()
	for i := range b.N {
		now = now.Add(time.Duration(i%100) * ms)
		d.Heard(now)
		_ = d.Deadline()
	}
}

func TestDetectorsAllocateNothing(t *testing.T) {
	for _, d := range []either{NewFixed(0), NewAdaptive(0, 0)} {
		now := dawn
		d.Reset(now)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			now = now.Add(heartbeat)
			d.Heard(now)
			d.Deadline()
		}))
	}
}
