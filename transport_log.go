package smr

import (
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	warnEvery = 10 * time.Second
	warnKinds = 100 // kinds may name members that are none, so there must be an end
)

// rareWarnings writes at most one warning of a kind in ten seconds, with the number it held back. Its
// methods may be called concurrently.
type rareWarnings struct {
	log   hclog.Logger
	mu    sync.Mutex
	kinds map[string]*rareWarning
}

type rareWarning struct {
	next time.Time // when another may be written
	held int
}

func (w *rareWarnings) warn(kind, text string, args ...any) {
	held, ok := w.pass(kind, time.Now())
	if !ok {
		return
	}
	if held > 0 {
		args = append(args, "held back", held)
	}
	w.log.Warn(text, args...)
}

// pass reports whether a warning may be written at that time, and how many were not since the last.
func (w *rareWarnings) pass(kind string, now time.Time) (held int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kinds == nil {
		w.kinds = map[string]*rareWarning{}
	}
	k := w.kinds[kind]
	if k == nil && len(w.kinds) >= warnKinds {
		kind = ""
		k = w.kinds[kind]
	}
	if k == nil {
		k = &rareWarning{}
		w.kinds[kind] = k
	}
	if now.Before(k.next) {
		k.held++
		return 0, false
	}
	held = k.held
	k.next, k.held = now.Add(warnEvery), 0
	return held, true
}
