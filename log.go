package smr

import "time"

// segmentSize returns the size of the log's segments. The log takes space from the disk one segment at a time, and gives
// it back one segment at a time below a snapshot. The size is a fraction of the log that is written from one snapshot to
// the next, and small enough for a small disk.
func (c *Config) segmentSize() int64 {
	const least, most = 64 << 10, 16 << 20
	if c.SnapshotBytes < 0 {
		return most
	}
	return min(max(c.SnapshotBytes/4, least), most)
}

// writer runs the shell's writer, which makes saves durable, until the replica stops.
func (r *Replica) writer() {
	w := &r.shell.Writer
	idle := time.NewTimer(0) // runs out when a mark is due
	defer idle.Stop()
	for {
		if at := w.MarkAt(); at.IsZero() {
			idle.Stop()
		} else {
			idle.Reset(time.Until(at))
		}
		var err error
		select {
		case <-r.stop:
			return
		case <-idle.C:
			err = w.Mark(time.Now())
		case <-r.writes.Wake():
			r.pace("writer")
			r.writes.Each(w.Add)
			err = r.write()
		}
		if err != nil {
			r.fail(err)
			return
		}
	}
}

// write writes all that waits. While the disk is full it tries until there is space (F13), again as soon as there is more
// to write.
func (r *Replica) write() error {
	w := &r.shell.Writer
	for w.Begin() {
		again, err := w.Perform(time.Now())
		for again > 0 {
			select {
			case <-r.stop:
				return ErrClosed
			case <-r.writes.Wake():
				r.pace("writer")
				r.writes.Each(w.Add)
			case <-time.After(again):
			}
			again, err = w.Perform(time.Now())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
