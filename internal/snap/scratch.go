package snap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/smr-go/smr/internal/vfs"
)

// syncEvery is the number of bytes written between two syncs. It is small so that no sync delays
// those of the log for long, and so that a crash costs a receiver little.
const syncEvery = 8 << 20

// scratch is the file of a snapshot until it gets its final name.
type scratch struct {
	fs       vfs.FS
	name     string
	file     vfs.File // nil once closed
	unsynced int
}

func (s *Store) scratch(id ID, kind string, keep bool) (*scratch, error) {
	name, flag := s.path(id, kind), os.O_CREATE
	if !keep {
		flag |= os.O_TRUNC
	}
	file, err := s.fs.OpenFile(name, flag)
	if err != nil {
		return nil, err
	}
	return &scratch{fs: s.fs, name: name, file: file}, nil
}

func (c *scratch) write(b []byte, off int64) error {
	if _, err := c.file.WriteAt(b, off); err != nil {
		return err
	}
	if c.unsynced += len(b); c.unsynced < syncEvery {
		return nil
	}
	return c.sync()
}

func (c *scratch) sync() error {
	c.unsynced = 0
	return c.file.Sync()
}

// check reads the synced file back completely and returns the caller's header.
func (c *scratch) check(l *layout) ([]byte, error) {
	scan := l.scan(c.file)
	header, _, err := scan.header()
	if err == nil {
		err = scan.verify()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: read back: %w", c.name, err)
	}
	return header, nil
}

func (c *scratch) close() error {
	if c.file == nil {
		return nil
	}
	file := c.file
	c.file = nil
	return file.Close()
}

// discard closes and removes the file, and returns err joined with any error from that.
func (c *scratch) discard(err error) error {
	closed, removed := c.close(), c.fs.Remove(c.name)
	if errors.Is(removed, fs.ErrNotExist) { // it already has its final name
		removed = nil
	}
	return errors.Join(err, closed, removed)
}
