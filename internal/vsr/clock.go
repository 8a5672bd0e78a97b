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
	if r.now.Sub(r.lastTick) > r.pauseLimit() {
		r.paused()
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

// paused restarts the timeouts of all other members, because this replica was not running to
// receive their messages (D4).
func (r *Replica) paused() {
	r.cfg.Detector.Reset(r.now)
	for i := range r.heardAt {
		if !r.heardAt[i].IsZero() {
			r.heardAt[i] = r.now
		}
		r.primary.progress[i].answeredAt = r.now
	}
}

// Deadline returns when a Tick is due at the latest.
func (r *Replica) Deadline() time.Time {
	at := r.lastTick.Add(r.pauseLimit() / 2) // often enough that only a pause exceeds the limit
	at = earlier(at, r.forming.questionAt)
	at = earlier(at, r.primaryDeadline())
	at = earlier(at, r.changeDeadline())
	at = earlier(at, r.requests.retryAt)
	at = earlier(at, r.reads.retryAt)
	at = earlier(at, r.transfer.retryAt)
	return earlier(at, r.retakeAt)
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
