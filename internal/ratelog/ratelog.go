// Package ratelog limits how often a warning is repeated.
package ratelog

import (
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	shortest = 10 * time.Second // between two warnings of a kind
	longest  = time.Hour
	maxKinds = 100 // strangers choose the names in some kinds, so their number is bounded
)

// Warnings writes warnings to Log. A warning of the same kind follows after ten seconds at the earliest, and each
// further one after twice that time, up to an hour, until there has been none for an hour. It states how many were
// held back. Log must be set before the first Warn; no other preparation is needed. Warn may be called concurrently.
type Warnings struct {
	Log hclog.Logger

	mu    sync.Mutex
	kinds map[string]*kind
}

type kind struct {
	last time.Time     // when there was a warning, written or not
	next time.Time     // when another warning may be written
	wait time.Duration // from the warning that was written last to next
	held int           // warnings since the last that was written
}

// Warn writes a warning with the arguments of hclog.Logger.Warn, or counts it as held back. It reports whether it was
// written.
func (w *Warnings) Warn(kind, text string, args ...any) bool {
	return w.Report(hclog.Warn, kind, text, args...)
}

// Report is Warn at another level.
func (w *Warnings) Report(level hclog.Level, kind, text string, args ...any) bool {
	held, ok := w.pass(kind, time.Now())
	if !ok {
		return false
	}
	if held > 0 {
		args = append(args, "held back", held)
	}
	w.Log.Log(level, text, args...)
	return true
}

// pass reports whether a warning may be written at the time now, and if so how many were held back since
// the last.
func (w *Warnings) pass(name string, now time.Time) (held int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.kind(name)
	if now.Sub(k.last) >= longest {
		k.wait = 0
	}
	k.last = now
	if now.Before(k.next) {
		k.held++
		return 0, false
	}
	held = k.held
	k.wait = min(max(2*k.wait, shortest), longest)
	k.next, k.held = now.Add(k.wait), 0
	return held, true
}

// kind returns the record of the kind of warnings with that name.
func (w *Warnings) kind(name string) *kind {
	if w.kinds == nil {
		w.kinds = map[string]*kind{}
	}
	k := w.kinds[name]
	if k == nil && len(w.kinds) >= maxKinds {
		name = ""
		k = w.kinds[name]
	}
	if k == nil {
		k = &kind{}
		w.kinds[name] = k
	}
	return k
}
