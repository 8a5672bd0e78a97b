package sim

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/snap"
)

// snapshotFile returns the largest file among the snapshots.
func (h *host) snapshotFile() (largest string, content []byte, err error) {
	names, err := h.fs.ReadDir(snapDir)
	if err != nil {
		return "", nil, err
	}
	for _, name := range names {
		b, err := h.fs.ReadFile(path.Join(snapDir, name))
		if err == nil && len(b) > len(content) && !strings.Contains(name, "lock") {
			largest, content = path.Join(snapDir, name), b
		}
	}
	if len(content) == 0 {
		return "", nil, fmt.Errorf("%s has no snapshot", h.id)
	}
	return largest, content, nil
}

func (h *host) rotSnapshot(f *fault.Fault) error {
	name, b, err := h.snapshotFile()
	if err != nil {
		return err
	}
	return h.flip(extent{name, 0, int64(len(b))}, f)
}

// loseInSnapshot zeroes a sector.
func (h *host) loseInSnapshot(f *fault.Fault) error {
	name, b, err := h.snapshotFile()
	if err != nil {
		return err
	}
	off := int64(f.Seed%uint64(len(b))) &^ (sector - 1)
	return h.spoil(make([]byte, min(sector, int64(len(b))-off)), name, off)
}

// misplaceInSnapshot writes one chunk over another.
func (h *host) misplaceInSnapshot(f *fault.Fault) error {
	name, b, err := h.snapshotFile()
	if err != nil {
		return err
	}
	chunks := fullChunks(b)
	if len(chunks) < 2 {
		return errors.New("the snapshot has only one chunk")
	}
	from := int(f.Seed % uint64(len(chunks)))
	to := (from + 1 + int(f.Seed>>16%uint64(len(chunks)-1))) % len(chunks)
	return h.spoil(b[chunks[from].Off:][:chunks[from].Size], name, chunks[to].Off)
}

// fullChunks returns the extents of the chunks that are as long as the first.
func fullChunks(b []byte) []snap.Extent {
	_, chunks := snap.Extents(b)
	return slices.DeleteFunc(chunks, func(x snap.Extent) bool { return x.Size < chunks[0].Size })
}
