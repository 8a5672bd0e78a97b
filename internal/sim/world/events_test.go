package world

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Events happen in the order of their times, and of their scheduling.
func TestEventsInOrder(t *testing.T) {
	var e Events
	var got []int
	for i, at := range []time.Duration{3, 1, 2, 1, 3, 0} {
		e.At(at, func() { got = append(got, i) })
	}
	for e.Step(2) {
	}
	assert.Equal(t, []int{5, 1, 3, 2}, got)
	assert.EqualValues(t, 2, e.Now())
}

// sleeper is an actor.
type sleeper struct {
	ended  bool
	paused time.Duration
}

func (s *sleeper) Ended() bool                { return s.ended }
func (s *sleeper) PausedUntil() time.Duration { return s.paused }

// What a paused actor does happens later, unless it is hastened; what one does that has ended does not happen.
func TestEventsOfActors(t *testing.T) {
	var e Events
	var got []string
	dead, late, hasty := &sleeper{ended: true}, &sleeper{paused: 10}, &sleeper{}
	e.AfterBy(dead, 1, func() { got = append(got, "dead") })
	e.AfterBy(late, 2, func() { got = append(got, "late") })
	e.AfterBy(hasty, 30, func() { got = append(got, "hasty") })
	for e.Step(5) {
	}
	assert.Empty(t, got)
	e.Hasten(hasty, func(at time.Duration) bool { return at == 30 })
	for e.Step(20) {
	}
	assert.Equal(t, []string{"hasty", "late"}, got)
}
