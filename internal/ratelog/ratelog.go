// Package ratelog limits the rate of warnings: one of a kind in ten seconds.
package ratelog

import (
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	every    = 10 * time.Second
	maxKinds = 100 // strangers choose the names in some kinds, so their number is bounded
)

// Warnings writes warnings to Log, at most one of a kind in ten seconds, with the number of those that it
// has held back. Log must be set before the first Warn; no other preparation is needed. Warn may be called
// concurrently.
type Warnings struct {
	Log hclog.Logger

	mu    sync.Mutex
	kinds map[string]*kind
}

type kind struct {
	next time.Time // when another warning may be written
	held int       // warnings since the last that was written
}

// Warn writes a warning with the arguments of hclog.Logger.Warn, or counts it as held back.
func (w *Warnings) Warn(kind, text string, args ...any) {
	held, ok := w.pass(kind, time.Now())
	if !ok {
		return
	}
	if held > 0 {
		args = append(args, "held back", held)
	}
	w.Log.Warn(text, args...)
}

// pass reports whether a warning may be written at the time now, and if so how many were held back since
// the last.
func (w *Warnings) pass(name string, now time.Time) (held int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
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
	if now.Before(k.next) {
		k.held++
		return 0, false
	}
	held = k.held
	k.next, k.held = now.Add(every), 0
	return held, true
}
