package sim

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
)

// The limits of a replica's disk (11.10), which are checked right after a compaction or a snapshot. The core checks the limits
// of its memory itself.

// checkLog checks after a compaction that segments without an op above the snapshot have at most KeepLog bytes.
func (h *host) checkLog(snapshot vsr.OpNumber) error {
	names, err := h.fs.ReadDir(logDir)
	if err != nil || h.faults.rotten {
		return err
	}
	below, before := int64(0), int64(0)
	for _, name := range names {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		b, err := h.fs.ReadFile(path.Join(logDir, name))
		if err != nil {
			return err
		}
		parts := wal.Extents(name, b)
		first := slices.IndexFunc(parts, func(x wal.Extent) bool { return x.Part == wal.SaveHeader })
		if first < 0 {
			return fmt.Errorf("11.10: %s holds no save", name)
		}
		if parts[first].Stamp.Op <= uint64(snapshot) {
			below += before
		}
		before = int64(len(b))
	}
	if most := h.s.p.KeepLog; below > most {
		return fmt.Errorf("11.10: the log has %d bytes below the snapshot at op %d, not %d at most", below, snapshot, most)
	}
	return nil
}

// checkSnapshots checks after a snapshot is complete that the disk holds no other, except for those that are kept for
// other members and for the one that is being received. A damaged snapshot stays where it is (F9).
func (p *process) checkSnapshots() error {
	h := p.h
	names, err := h.fs.ReadDir(snapDir)
	if err != nil || h.faults.rotten {
		return err
	}
	count := map[string]int{}
	for _, name := range names {
		count[path.Ext(name)]++
	}
	kept := p.shell.Loop.Kept()
	if n := count[".snap"]; n < 1 || n > 1+kept+p.releasing || count[".new"] > 0 || count[".part"] > 1 {
		return fmt.Errorf("11.10: there are other snapshots than the latest, the %d that are kept and the %d that are being removed: %v", kept, p.releasing, names)
	}
	if kept > vsr.MaxVoters {
		return fmt.Errorf("11.10: %d snapshots are kept", kept)
	}
	return nil
}
