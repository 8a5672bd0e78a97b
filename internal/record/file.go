package record

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// File is a Writer that creates a file for one start of a replica.
type File struct {
	*Writer // nil before Started
	dir     string
	file    *os.File // nil if it could not be created
}

// NewFile returns a File in dir. Started creates the file, and dir if it does not exist. The name consists of the
// replica's ID, the time of the start in UTC, and how often its memory was started: a-20260102T030405.678Z-7.rec.
func NewFile(dir string) *File { return &File{dir: dir} }

// Started creates the file, and is Writer.Started.
func (f *File) Started(c *vsr.Config, d *vsr.Durable, now time.Time) {
	id := url.QueryEscape(c.Members.Members[c.Self].ID)
	name := fmt.Sprintf("%s-%s-%d.rec", id, now.UTC().Format("20060102T150405.000Z"), d.Head.Start>>32+1)
	err := os.MkdirAll(f.dir, 0o777)
	if err == nil {
		f.file, err = os.OpenFile(filepath.Join(f.dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	}
	if err != nil {
		f.file, f.Writer = nil, &Writer{digest: newDigest(), err: err}
		return
	}
	f.Writer = NewWriter(f.file)
	f.Writer.Started(c, d, now)
}

// Close closes the file. It returns the first error, including the one that prevented the file from being created. Call
// it only after Started.
func (f *File) Close() error {
	if f.file == nil {
		return f.err
	}
	return errors.Join(f.Writer.Close(), f.file.Close())
}
