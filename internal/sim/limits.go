package sim

import (
	"encoding/binary"
	"fmt"
	"path"
	"strings"

	"github.com/smr-go/smr/internal/vsr"
)

// What a replica keeps on its disk has limits too (11.10). They are looked at when it has just tidied up;
// its memory's are in the core's own check.

// prevOp is where a segment's first save says after which op its records come.
const prevOp = sector + 56

// checkLog: after a compaction, segments that hold nothing above the snapshot have KeepLog bytes at most.
func (h *host) checkLog(snapshot vsr.OpNumber) error {
	h.fs.SetHook(nil)
	defer h.fs.SetHook(h.hook)
	names, err := h.fs.ReadDir(logDir)
	if err != nil || h.ailing.rotten {
		return err
	}
	below, before := int64(0), int64(0)
	for _, name := range names {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		f, err := h.fs.OpenFile(path.Join(logDir, name), 0)
		if err != nil {
			return err
		}
		var b [8]byte
		_, err = f.ReadAt(b[:], prevOp)
		size, err2 := f.Size()
		if f.Close(); err != nil || err2 != nil {
			return fmt.Errorf("11.10: %s: %v, %v", name, err, err2)
		}
		if vsr.OpNumber(binary.LittleEndian.Uint64(b[:])) <= snapshot {
			below += before
		}
		before = size
	}
	if most := h.s.p.KeepLog; below > most {
		return fmt.Errorf("11.10: the log has %d bytes below the snapshot at op %d, not %d at most", below, snapshot, most)
	}
	return nil
}

// checkSnapshots: once a snapshot is complete it is the only one, and nothing else is there but what is being received.
// A damaged one is left where it is (F9).
func (h *host) checkSnapshots() error {
	names, err := h.fs.ReadDir(snapDir)
	if err != nil || h.ailing.rotten {
		return err
	}
	count := map[string]int{}
	for _, name := range names {
		count[path.Ext(name)]++
	}
	if count[".snap"] != 1 || count[".new"] > 0 || count[".part"] > 1 {
		return fmt.Errorf("11.10: beside the latest snapshot there are others: %v", names)
	}
	return nil
}
