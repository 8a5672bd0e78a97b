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

// The names of files in the directory of a log, besides the segments.
const (
	HeadName = "head"
	LockName = "lock" // locked by the process that has opened the log
)

// heads is the head file. It holds two copies of the head (F8), each in a block of its own. A head
// is saved in both copies, one sync after the other, or in one copy and the log, so that it
// survives if one copy is torn or rots. Only a mark may be in a single copy, until Mark is called
// on the idle log.
type heads struct {
	name   string
	file   vfs.File
	latest headCopy  // content of the latest copy
	place  int       // index of the copy that the next write preserves: 0 or 1
	marks  [2]uint64 // marks written to the copies since Open
}

func (h *heads) close() error { return h.file.Close() }

// write replaces the copy other than h.place with c. If both is set, it then replaces the other
// one too; a crash in between leaves one of them intact.
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

// createHeads creates the head file of a fresh directory. After a crash the file exists complete or
// not at all.
func createHeads(fsys vfs.FS, dir string, folder vfs.Dir, identity string) (heads, error) {
	h := heads{name: path.Join(dir, HeadName), latest: headCopy{sequence: 1, first: 1, identity: identity}}
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
	if err := fill(f, b); err != nil {
		return h, err
	}
	if err := f.Rename(h.name); err != nil {
		return h, errors.Join(err, f.Close())
	}
	if err := folder.Sync(); err != nil {
		return h, errors.Join(err, f.Close())
	}
	h.file = f
	return h, nil
}

// openHeads reads the head file, or creates it if the directory is fresh. The head is created
// before the first segment; a directory that has segments but no head is therefore damaged.
func openHeads(fsys vfs.FS, dir string, folder vfs.Dir, opt Options, fresh bool) (h heads, made bool, err error) {
	h.name = path.Join(dir, HeadName)
	h.file, err = fsys.OpenFile(h.name, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist) && fresh && opt.MustExist:
		return h, false, fmt.Errorf("%s: %w", dir, ErrMissing)
	case errors.Is(err, fs.ErrNotExist) && fresh:
		h, err = createHeads(fsys, dir, folder, opt.Identity)
		return h, true, err
	case errors.Is(err, fs.ErrNotExist):
		return h, false, &CorruptError{File: h.name, Reason: "the directory has segments but no head"}
	case err != nil:
		return h, false, err
	}
	if err := h.read(opt.Identity); err != nil {
		again := errors.Is(err, ErrForeign) && fresh && !opt.MustExist && opt.Unused != nil && h.unused(opt.Unused)
		if err = errors.Join(err, h.file.Close()); !again {
			return h, false, err
		}
		h, err = createHeads(fsys, dir, folder, opt.Identity) // takes the place of the other
		return h, true, err
	}
	return h, false, nil
}

// unused reports whether both copies of the head are intact and unused, whichever replica they name.
func (h *heads) unused(is func(Head) bool) bool {
	for place := range 2 {
		b, err := readSector(h.file, int64(place)*copyOffset)
		if err != nil || checkSheet(b, headMagic) != "" || !is(decodeHeadCopy(b).head) {
			return false
		}
	}
	return true
}

// read takes the later copy that is intact. A copy that is not intact was torn or has rotted; the
// other copy and the log together contain everything that was acknowledged.
//
// It also selects the copy that the next write replaces. A damaged copy is replaced first. Of two
// intact copies the later one is replaced, under the same sequence number: after a kill or a failed
// sync it may be readable without being durable (F12), whereas the older one is certainly durable.
// The sequence numbers therefore differ by one at most. If they differ by more, writes to the older
// copy were lost (F10), and it is replaced as if it were damaged.
func (h *heads) read(identity string) error {
	var damage error
	sequences := [2]uint64{}
	for place := range 2 {
		b, err := readSector(h.file, int64(place)*copyOffset)
		reason := checkSheet(b, headMagic)
		switch {
		case err != nil:
			err = (&CorruptError{File: h.name, Offset: int64(place) * copyOffset, Err: err}).unreadable()
			if vfs.IsShort(err) {
				return err
			}
			damage = errors.Join(damage, err)
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
		return damage // both copies are damaged: lost memory
	}
	if older := sequences[1-h.place]; damage == nil && older+1 >= h.latest.sequence {
		h.place, h.latest.sequence = 1-h.place, older
	}
	return nil
}

// checkOwner rejects a sealed sector of another format version or another identity.
func checkOwner(b []byte, name, identity string) error {
	if v := order.Uint32(b[8:]); v != version {
		return fmt.Errorf("%s has format %d, but this program supports format %d: %w; run the version that wrote it", name, v, version, ErrVersion)
	}
	if found := sheetIdentity(b); found != identity {
		return fmt.Errorf("%s belongs to %q, not to %q: %w; give each replica a directory of its own", name, found, identity, ErrForeign)
	}
	return nil
}

// Owner returns the identity recorded in the log in dir, or "" if there is no log whose head this version can read. It
// changes nothing. An error reports that the system was short of descriptors, memory or the like.
func Owner(fsys vfs.FS, dir string) (identity string, err error) {
	f, err := fsys.OpenFile(path.Join(dir, HeadName), 0)
	if err == nil {
		defer f.Close()
		for place := 0; place < 2 && identity == "" && err == nil; place++ {
			var b []byte
			if b, err = readSector(f, int64(place)*copyOffset); err == nil && checkSheet(b, headMagic) == "" && order.Uint32(b[8:]) == version {
				identity = sheetIdentity(b)
			}
		}
	}
	if !vfs.IsShort(err) {
		err = nil
	}
	return identity, err
}

// readSector reads 512 bytes at off, or fewer at the end of the file.
func readSector(f vfs.File, off int64) ([]byte, error) {
	b := make([]byte, sector)
	n, err := f.ReadAt(b, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:n], err
}
