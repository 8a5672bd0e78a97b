package conform

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest/internal/leak"
	"github.com/smr-go/smr/smrtest/internal/suite"
)

// TestDetector checks that detectors keep the contract of smr.Detector. new must return a new detector with the same
// settings at every call. The times in the checks are scaled to the timeout of a detector after its first Reset: a
// primary that is heard ten times in that time is steady, and must never be suspected. A silent primary must be
// suspected within a day.
//
// Some checks run in a testing/synctest bubble. Detectors must not start goroutines.
func TestDetector(t *testing.T, new func() smr.Detector) {
	t.Helper()
	if new == nil {
		t.Fatal("TestDetector needs new, a function that returns a detector; new is nil")
	}
	suite.Enforce(t, detectorRules, new)
}

// detectorRules are about detectors that a function returns.
var detectorRules = []suite.Rule[func() smr.Detector]{
	{Name: "trust does not end before it begins", Check: withBeat(trustIsAhead), First: true},
	{Name: "a silent primary is suspected", Check: withBeat(silenceIsSuspected)},
	{Name: "a steady primary is trusted", Check: withBeat(steadinessIsTrusted)},
	{Name: "a burst is not followed by suspicion", Check: withBeat(burstsAreForgiven)},
	{Name: "only the times given count", Check: withBeat(onlyTimesCount)},
	{Name: "Deadline changes nothing", Check: withBeat(deadlineIsPure)},
	{Name: "Reset starts over", Check: withBeat(resetStartsOver)},
}

type detectorCheck func(t *testing.T, new func() smr.Detector, beat time.Duration) error

// withBeat gives a check the heartbeat of the detectors.
func withBeat(check detectorCheck) func(*testing.T, func() smr.Detector) error {
	return func(t *testing.T, new func() smr.Detector) error {
		beat, err := beat(new)
		if err != nil {
			return err
		}
		return check(t, new, beat)
	}
}

// elsewhen runs f in a testing/synctest bubble, where time.Now begins in the year 2000. A goroutine that a detector
// leaves there is an error.
func elsewhen(t *testing.T, f func() error) (err error) {
	if left := leak.Bubble(t, func() { err = f() }); left != "" {
		return fmt.Errorf("the detector left a goroutine behind; detectors must start none:\n%.2000s", left)
	}
	return err
}

// sign is one call of Heard or Reset.
type sign struct {
	at    time.Time
	reset bool
}

func (s sign) apply(d smr.Detector) {
	if s.reset {
		d.Reset(s.at)
	} else {
		d.Heard(s.at)
	}
}

var firstReset = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// beat returns the heartbeat of the checks: a tenth of the first timeout.
func beat(new func() smr.Detector) (time.Duration, error) {
	d := new()
	if d == nil {
		return 0, errors.New("new returned nil")
	}
	d.Reset(firstReset)
	trust := d.Deadline().Sub(firstReset)
	if trust <= 0 {
		return 0, fmt.Errorf("after Reset, trust is %v: Deadline must be later than the time given to Reset", trust)
	}
	return max(trust/10, 1), nil
}

// signs returns a varied sequence of calls: heartbeats with jitter, bursts, several at one time, stalls, and a few
// resets.
func signs(beat time.Duration) []sign {
	r := rand.New(rand.NewPCG(2, 6))
	now := firstReset
	all := []sign{{now, true}}
	for range 2000 {
		gap := time.Duration(r.Float64() * 2 * float64(beat))
		switch r.IntN(20) {
		case 0, 1, 2, 3, 4:
			gap /= 1000
		case 5:
			gap = 0
		case 6:
			gap *= 10
		}
		now = now.Add(gap)
		all = append(all, sign{now, r.IntN(500) == 0})
	}
	return all
}

// deadlines returns the deadline of d after each sign. between is called before every sign.
func deadlines(d smr.Detector, all []sign, between func()) (answers []time.Time) {
	for _, s := range all {
		between()
		s.apply(d)
		answers = append(answers, d.Deadline())
	}
	return answers
}

// apart returns an error that names the first difference of two runs with the same signs.
func apart(all []sign, one, two []time.Time, why string) error {
	for i, s := range all {
		if !one[i].Equal(two[i]) {
			return fmt.Errorf("%s: after sign %d, at %v, Deadline is %v later in one run and %v in the other",
				why, i+1, s.at.Sub(firstReset), one[i].Sub(s.at), two[i].Sub(s.at))
		}
	}
	return nil
}

func trustIsAhead(_ *testing.T, new func() smr.Detector, beat time.Duration) error {
	return trusts(new, beat, 1, math.MaxInt64, "Deadline must be later than the last Heard or Reset")
}

func silenceIsSuspected(_ *testing.T, new func() smr.Detector, beat time.Duration) error {
	return trusts(new, beat, math.MinInt64, 24*time.Hour, "a dead one would not be replaced for more than a day")
}

// trusts returns an error that ends with why unless the primary is trusted for a time between these after every sign.
func trusts(new func() smr.Detector, beat, least, most time.Duration, why string) error {
	all := signs(beat)
	for i, until := range deadlines(new(), all, func() {}) {
		if trust := until.Sub(all[i].at); trust < least || trust > most {
			return fmt.Errorf("after sign %d, at %v, the primary is trusted for %v: %s", i+1, all[i].at.Sub(firstReset), trust, why)
		}
	}
	return nil
}

// hear gives d count signs at an interval of every. It returns an error if d suspected the primary before one of them.
func hear(d smr.Detector, now time.Time, count int, every time.Duration) (time.Time, error) {
	for i := range count {
		next := now.Add(every)
		if until := d.Deadline(); !until.After(next) {
			return now, fmt.Errorf("sign %d of %d, %v apart, came too late: the primary was trusted for %v only", i+1, count, every, until.Sub(now))
		}
		now = next
		d.Heard(now)
	}
	return now, nil
}

func steadinessIsTrusted(_ *testing.T, new func() smr.Detector, beat time.Duration) error {
	d := new()
	d.Reset(firstReset)
	_, err := hear(d, firstReset, 10_000, beat)
	return err
}

func burstsAreForgiven(_ *testing.T, new func() smr.Detector, beat time.Duration) error {
	d := new()
	d.Reset(firstReset)
	now, err := firstReset, error(nil)
	for range 3 {
		if now, err = hear(d, now, 20_000, max(beat/5000, 1)); err != nil {
			return fmt.Errorf("busy: %w", err)
		}
		if now, err = hear(d, now, 100, beat); err != nil {
			return fmt.Errorf("idle after a burst: %w", err)
		}
	}
	return nil
}

func onlyTimesCount(t *testing.T, new func() smr.Detector, beat time.Duration) error {
	all := signs(beat)
	here := deadlines(new(), all, func() {})
	if err := apart(all, here, deadlines(new(), all, func() {}), "the same times again"); err != nil {
		return err
	}
	return elsewhen(t, func() error {
		there := deadlines(new(), all, func() { time.Sleep(time.Hour) })
		return apart(all, here, there, "the same times while the clock stands elsewhere (time.Now must not be used)")
	})
}

func deadlineIsPure(t *testing.T, new func() smr.Detector, beat time.Duration) error {
	all, asked := signs(beat), new()
	once := deadlines(new(), all, func() {})
	often := deadlines(asked, all, func() {
		for range 5 {
			asked.Deadline()
		}
	})
	if err := apart(all, once, often, "calls of Deadline in between"); err != nil {
		return err
	}
	return elsewhen(t, func() error {
		before := asked.Deadline()
		time.Sleep(time.Hour)
		if after := asked.Deadline(); !after.Equal(before) {
			return fmt.Errorf("while the primary was silent, Deadline moved by %v; only Heard and Reset may move it", after.Sub(before))
		}
		return nil
	})
}

func resetStartsOver(_ *testing.T, new func() smr.Detector, beat time.Duration) error {
	used := new()
	deadlines(used, signs(beat), func() {})
	all := signs(beat)
	for i := range all {
		all[i].at = all[i].at.Add(24 * time.Hour) // long after the used one's last sign
	}
	return apart(all, deadlines(new(), all, func() {}), deadlines(used, all, func() {}), "a new detector and one that was Reset")
}
