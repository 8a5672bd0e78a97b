package record

import (
	"errors"
	"fmt"
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// start holds the arguments of vsr.New. The Detector and the source of random numbers are not recorded; their answers
// are.
type start struct {
	now    time.Time
	config vsr.Config
	disk   vsr.Durable
}

// start visits the content of a start record.
func (f *fields) start(s *start) {
	f.visit(&s.now, &s.config, &s.disk)
	if f.reading && f.err == nil {
		f.err = check(&s.config)
	}
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
