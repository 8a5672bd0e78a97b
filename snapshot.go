package smr

// fetcher runs the shell's fetcher, which receives snapshots from other members, until the replica stops.
// Snapshots of this replica's own state are written by goroutines of their own (see driver.Background).
func (r *Replica) fetcher() {
	f := &r.shell.Fetcher
	for {
		select {
		case <-r.stop:
			return
		case <-r.fetches.Wake():
		}
		r.pace("fetcher")
		r.fetches.Each(f.Add)
		for !r.stopping() && f.Step() {
		}
	}
}
