package tcp

import (
	"sync"
	"time"

	"github.com/smr-go/smr/internal/ratelog"
)

// trouble is a condition that lasts, for example that a member is not reached. It is logged at Warn when it begins,
// and at Info when it ends, and not in between unless its reason changes. Its methods may be called concurrently.
type trouble struct {
	kind string // of the warnings

	mu     sync.Mutex
	since  time.Time // when it was first logged; zero if it was not, or if it has ended
	reason string    // that was logged last
}

// begin logs the trouble unless it has been logged for that reason.
func (x *trouble) begin(w *ratelog.Warnings, reason, text string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.since.IsZero() && x.reason == reason || !w.Warn(x.kind, text, args...) {
		return
	}
	if x.since.IsZero() {
		x.since = time.Now()
	}
	x.reason = reason
}

// end logs that the trouble has ended, if begin has logged it.
func (x *trouble) end(w *ratelog.Warnings, text string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.since.IsZero() {
		return
	}
	w.Log.Info(text, append(args, "after", time.Since(x.since).Round(time.Second))...)
	x.since, x.reason = time.Time{}, ""
}
