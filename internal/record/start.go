package record

import (
	"errors"
	"fmt"
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// start holds the arguments of vsr.New. The Detector and the source of random numbers are not recorded; their answers are.
type start struct {
	now    time.Time
	config vsr.Config
	disk   vsr.Durable
}

// start visits the content of a start record.
func (f *fields) start(s *start) {
	f.time(&s.now)
	f.config(&s.config)
	f.disk(&s.disk)
	if c := &s.config; f.reading && f.err == nil {
		f.err = check(c)
	}
}

func (f *fields) config(c *vsr.Config) {
	signed(f, &c.Self)
	f.members(&c.Members)
	signed(f, &c.Heartbeat)
	signed(f, &c.IdleHeartbeat)
	signed(f, &c.Abdication)
	signed(f, &c.DiskLimit)
	signed(f, &c.Window)
	signed(f, &c.Tail)
	signed(f, &c.KeepLog)
	f.flag(&c.Volatile)
}

func (f *fields) disk(d *vsr.Durable) {
	f.head(&d.Head)
	f.stamp(&d.Base)
	f.stamp(&d.Last)
	list(f, &d.Runs, f.stamp)
	optional(f, &d.First, f.entry)
	f.entries(&d.Entries)
	optional(f, &d.Snapshot, f.snapshot)
	signed(f, &d.Time)
}

// check returns an error if no core can be made with the configuration.
func check(c *vsr.Config) error {
	switch {
	case c.Self < 0 || int(c.Self) >= len(c.Members.Members):
		return fmt.Errorf("replica %d of %d members", c.Self, len(c.Members.Members))
	case c.Heartbeat <= 0:
		return errors.New("a heartbeat that is not positive")
	}
	return nil
}
