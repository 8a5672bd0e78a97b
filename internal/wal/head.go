package wal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/smr-go/smr/internal/vfs"
)

const headName = "head"

// heads is the head file: two copies (F8), each in a block of its own. What is saved goes into both,
// one sync after the other, or into one copy and the log, so that one rotten or torn copy loses
// nothing. Only a mark may be in one copy alone, and not for long: an idle log's is in both.
type heads struct {
	name   string
	file   vfs.File
	latest headCopy  // the last one written
	place  int       // of latest: 0 or 1
	marks  [2]uint64 // by place
}

func (h *heads) close() error { return h.file.Close() }

// write stores c as the latest copy, and over the other one too if both is set. The older one is
// written first: a crash in between leaves the other.
func (h *heads) write(c headCopy, both bool) error {
	c.identity = h.latest.identity
	err := h.writeTo(1-h.place, c)
	if err == nil && both {
		err = h.writeTo(1-h.place, c)
	}
	return err
}

func (h *heads) writeTo(place int, c headCopy) error {
	c.sequence = h.latest.sequence + 1
	if _, err := h.file.WriteAt(c.encode(), int64(place)*copyOffset); err != nil {
		return err
	}
	if err := h.file.Sync(); err != nil {
		return err
	}
	h.latest, h.place, h.marks[place] = c, place, c.mark
	return nil
}

// createHeads makes the head file of a fresh directory, whole or not at all.
func createHeads(fsys vfs.FS, dir, identity string) (heads, error) {
	h := heads{name: path.Join(dir, headName), latest: headCopy{sequence: 1, first: 1, identity: identity}}
	f, err := fsys.OpenFile(h.name+newSuffix, os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return h, err
	}
	if err := f.Allocate(headSize); err != nil {
		return h, errors.Join(err, f.Close(), fsys.Remove(h.name+newSuffix))
	}
	b := make([]byte, headSize)
	copy(b, h.latest.encode())
	copy(b[copyOffset:], h.latest.encode())
	if err := fill(fsys, f, h.name+newSuffix, h.name, b); err != nil {
		return h, err
	}
	h.file, err = fsys.OpenFile(h.name, 0)
	return h, err
}

// openHeads reads the copies. A directory without a head is fresh, and lacks it lawfully only if
// it lacks segments too: the head comes first.
func openHeads(fsys vfs.FS, dir, identity string, fresh bool) (h heads, made bool, err error) {
	h.name = path.Join(dir, headName)
	h.file, err = fsys.OpenFile(h.name, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist) && fresh:
		h, err = createHeads(fsys, dir, identity)
		return h, true, err
	case errors.Is(err, fs.ErrNotExist):
		return h, false, &CorruptError{File: h.name, Reason: "there are segments, but no head"}
	case err != nil:
		return h, false, err
	}
	if err := h.read(identity); err != nil {
		return h, false, errors.Join(err, h.file.Close())
	}
	return h, false, nil
}

// read takes the later of the copies that check. One that does not is a torn write or rot, and the
// other one, with the log, knows all that was acknowledged.
//
// It leaves place so that the next write goes over the rotten copy, or, if both are sound, over the
// later one: that may read well and not be on disk, after a kill or a failed sync (F12), while the
// other is on disk for certain. It keeps that one's number then, so that the two differ by one always:
// where they do not, writes of the older one were lost (F10), and it is as good as rotten.
func (h *heads) read(identity string) error {
	var damage error
	sequences := [2]uint64{}
	for place := range 2 {
		b, err := readSector(h.file, int64(place)*copyOffset)
		reason := checkSheet(b, headMagic)
		switch {
		case err != nil:
			damage = errors.Join(damage, &CorruptError{File: h.name, Offset: int64(place) * copyOffset, Reason: "cannot be read", Err: err})
		case reason != "":
			damage = errors.Join(damage, &CorruptError{File: h.name, Offset: int64(place) * copyOffset, Reason: "a copy of the head " + reason})
		default:
			if err := checkOwner(b, h.name, identity); err != nil {
				return err
			}
			c := decodeHeadCopy(b)
			if sequences[place] = c.sequence; c.sequence > h.latest.sequence {
				h.latest, h.place = c, place
			}
		}
	}
	if h.latest.sequence == 0 {
		return damage // both are gone: lost memory
	}
	if older := sequences[1-h.place]; damage == nil && older+1 >= h.latest.sequence {
		h.place, h.latest.sequence = 1-h.place, older
	}
	return nil
}

// checkOwner refuses a sealed sector of another version or replica.
func checkOwner(b []byte, name, identity string) error {
	if v := order.Uint32(b[8:]); v != version {
		return fmt.Errorf("%s: format %d, and this program knows %d: %w; use the program that wrote it", name, v, version, ErrVersion)
	}
	if found := sheetIdentity(b); found != identity {
		return fmt.Errorf("%s belongs to %q, not to %q: %w; give each replica a directory of its own", name, found, identity, ErrForeign)
	}
	return nil
}

// readSector reads 512 bytes, fewer at the end of the file.
func readSector(f vfs.File, off int64) ([]byte, error) {
	b := make([]byte, sector)
	n, err := f.ReadAt(b, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:n], err
}
