package sim

import (
	"errors"
	"fmt"
	"maps"
	"path"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/wal"
)

// identity returns the owner that a host's directory records.
func identity(group string, host int) string { return shell.Identity(group, fault.Name(host)) }

// secondStart starts a second process on the directory of a running one, which must not notice.
func (h *host) secondStart(*fault.Fault) error {
	return h.refuses("F18", identity(groupName, h.i), vfs.ErrLocked)
}

// foreignStart starts another replica on the host's directory, which must not change.
func (h *host) foreignStart(f *fault.Fault) error {
	foreigner := identity(groupName, f.To)
	if f.To == h.i {
		foreigner = identity("another", h.i)
	}
	if h.proc != nil {
		return h.refuses("F17", foreigner, vfs.ErrLocked)
	}
	return h.refuses("F17", foreigner, wal.ErrForeign)
}

// refuses opens the log as another owner, without the faults of the disk, and expects an error.
func (h *host) refuses(rule, who string, want error) error {
	h.fs.SetHook(nil)
	defer h.fs.SetHook(h.hook)
	if _, err := h.fs.ReadFile(headFile); err != nil {
		return fmt.Errorf("%s has no directory yet: %w", h.id, err)
	}
	before := h.contents()
	_, err := wal.Open(h.fs, logDir, wal.Options{Identity: who, SegmentSize: h.s.p.SegmentSize})
	unreadable := h.faults.rotten && errors.Is(err, wal.ErrCorrupt)
	switch {
	case err == nil:
		h.s.fail(rule, "%s is let in on the directory of %s", who, identity(groupName, h.i))
	case !errors.Is(err, want) && !unreadable:
		h.s.fail(rule, "%s is refused on the directory of %s, but with %q and not with %q", who, identity(groupName, h.i), err, want)
	case !maps.Equal(before, h.contents()):
		h.s.fail(rule, "%s is refused on the directory of %s, and has changed what it holds", who, identity(groupName, h.i))
	}
	h.s.note(h.i, "refuses", 0, who)
	return nil
}

// contents returns hashes of all files but the lock, by name.
func (h *host) contents() map[string]uint64 {
	all := map[string]uint64{}
	for _, dir := range []string{logDir, snapDir} {
		names, _ := h.fs.ReadDir(dir)
		for _, name := range names {
			if b, err := h.fs.ReadFile(path.Join(dir, name)); err == nil && name != "lock" {
				all[path.Join(dir, name)] = contract.SumOf(b)
			}
		}
	}
	return all
}
