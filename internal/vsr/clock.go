package vsr

import "time"

// advance moves the replica's clock. Times never fall.
func (r *Replica) advance(now time.Time) {
	if now.Before(r.now) {
		now = r.now
	}
	r.now = now
}

// tick performs the actions whose time has come. A long gap since the previous tick means that the
// process did not run, so that the silence of others proves nothing (D4).
func (r *Replica) tick() {
	if gap := r.now.Sub(r.lastTick); gap > r.pauseLimit() {
		r.paused(gap)
	}
	r.lastTick = r.now
	switch {
	case r.status == recovering:
		r.tickForming()
	case r.isPrimary():
		r.tickPrimary()
	}
	if r.status != recovering {
		r.tickChange()
	}
	r.tickRequests()
	r.tickReads()
	r.tickTransfer()
}

// pauseLimit is the gap between two ticks above which the process is assumed to have been paused.
func (r *Replica) pauseLimit() time.Duration { return 10 * r.cfg.Heartbeat }

// paused has a gap count as the longest one between two ticks that is no pause (D4). The timeouts of the members begin
// again, because their messages could not be received. A member that was silent before stays so, and what waits for the
// disk or the state machine has not waited meanwhile.
func (r *Replica) paused(gap time.Duration) {
	r.cfg.Detector.Reset(r.now)
	h := &r.health
	h.calls.failingAt = r.now
	if !h.ledAt.IsZero() {
		h.ledAt = r.now
	}
	skip := func(times ...*time.Time) {
		for _, at := range times {
			if !at.IsZero() {
				*at = at.Add(gap - r.pauseLimit())
			}
		}
	}
	patience := r.patience()
	for i := range r.heardAt {
		p := &r.primary.progress[i]
		for _, at := range []*time.Time{&r.heardAt[i], &p.answeredAt} {
			if skip(at); r.now.Sub(*at) <= patience && !at.IsZero() {
				*at = r.now
			}
		}
		skip(&p.loadingSince, &p.matching.setAt, &p.applying.setAt)
	}
	for i := range r.saves.issued {
		skip(&r.saves.issued[i].at)
	}
	for i := range r.chunkReads {
		skip(&r.chunkReads[i].since)
	}
	skip(&r.applying.loadingSince, &r.applying.movedAt, &r.primary.movedAt, &r.health.servedAt, &r.health.applying.setAt)
}

// Deadline returns when a Tick is due at the latest.
func (r *Replica) Deadline() time.Time {
	at := r.lastTick.Add(r.pauseLimit() / 2) // often enough that only a pause exceeds the limit
	at = earlier(at, r.forming.questionAt)
	at = earlier(at, r.primaryDeadline())
	at = earlier(at, r.changeDeadline())
	at = earlier(at, r.requests.retryAt)
	at = earlier(at, r.floorDeadline())
	at = earlier(at, r.reads.retryAt)
	at = earlier(at, r.transfer.retryAt)
	if r.damaged {
		at = earlier(at, r.retakeAt)
	}
	return at
}

// earlier returns the earlier of two times. A zero t means none.
func earlier(at, t time.Time) time.Time {
	if t.Before(at) && !t.IsZero() {
		return t
	}
	return at
}

func (r *Replica) after(heartbeats int) time.Time {
	return r.now.Add(time.Duration(heartbeats) * r.cfg.Heartbeat)
}

var farAway = time.Unix(1<<40, 0)
