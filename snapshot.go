package smr

// Of the work with snapshots, this package holds the goroutine that receives them. internal/shell decides when
// the replica takes one, and sends chunks to other members; Background in driver.go runs the tasks that write and read
// snapshots; internal/snap holds the files.

// fetcher runs the shell's fetcher, which receives snapshots from other members, until the replica stops.
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
