package sim

import (
	"errors"
	"fmt"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/vfs"
)

// folders are the folders of a directory, as N of a fault numbers them.
var folders = []string{logDir, snapDir}

func folder(f *fault.Fault) string { return folders[f.N&1] }

func (h *host) removeFolder(f *fault.Fault) error { return h.replaceFolder(f, nil) }

func (h *host) othersFolder(f *fault.Fault) error {
	to := h.s.hosts[f.To]
	if _, err := to.fs.ReadFile(headFile); err != nil || to == h || to.lost || to.faults.mixed {
		return fmt.Errorf("%s has no folder to be put in another's place", to.id)
	}
	return h.replaceFolder(f, to.fs)
}

// olderFolder copies a folder now, and puts the copy in its place later. A log must be of the same view then: a replica
// that forgets a view is beyond what its group can notice (F16).
func (h *host) olderFolder(f *fault.Fault) error {
	if _, err := h.fs.ReadFile(headFile); err != nil {
		return err
	}
	copied, was := h.fs.Clone(), h.durable().Head
	h.s.After(f.For, func() {
		now, later := h.durable().Head, *f
		err := errors.New("its folder could not be replaced any more")
		if !h.lost && !h.s.net.Healed && (folder(f) != logDir || now.View == was.View) {
			later.For = h.patience()
			err = h.replaceFolder(&later, copied)
		}
		if err != nil {
			h.s.expired = append(h.s.expired, Ineffective{*f, err.Error(), true})
		}
	})
	return nil
}

// replaceFolder ends the process, and puts the folder of another file system in the place of the host's; none if that
// is nil. The next process must refuse what does not belong together (F19), or be as good as before.
func (h *host) replaceFolder(f *fault.Fault, by *vfs.Mem) error {
	snapshots, err := snap.Any(h.fs, snapDir)
	if err != nil {
		return err
	}
	if h.faults.mixed {
		return fmt.Errorf("%s has another folder already", h.id)
	}
	h.endProcess(false, random(f))
	h.fs.ReplaceDir(folder(f), by)
	h.writes, h.faults.mixed = writes{}, true
	switch log := folder(f) == logDir; {
	case log && by == nil && !snapshots: // nothing is left
		h.forget()
		h.s.judge.Wiped(h.i)
		h.blank, h.faults.mixed = true, false
	case log && by == nil:
		h.faults.refused = "its log is gone and its snapshots are not"
	case log && f.Kind == fault.OthersFolder:
		h.faults.refused = "its log is another member's"
	case log:
		h.faults.tailLost = true
		h.s.judge.LostTail(h.i)
	}
	h.s.note(h.i, "has another %s", uint64(f.N), folder(f))
	h.restartIn(f.For, 0)
	return nil
}

// touchFolder has a person change a member's directory.
func (c *chance) touchFolder(r world.Stream) {
	f := fault.Fault{Kind: world.OneOf(r, fault.RemoveFolder, fault.OlderFolder, fault.OthersFolder), N: r.Int64N(2),
		For: c.downTime(r), Seed: r.Uint64()}
	h := c.forgetful(r, f.Kind)
	if h == nil {
		return
	}
	f.Host = h.i
	if f.Kind == fault.OthersFolder {
		f.To = (h.i + 1 + r.IntN(c.p.Replicas-1)) % c.p.Replicas
	}
	c.strike(f)
}
