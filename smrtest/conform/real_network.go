package conform

import "github.com/smr-go/smr"

// Partition cuts all links between these replicas and the others.
func (c *Real[M]) Partition(side ...smr.ID) {
	c.t.Helper()
	inside := map[smr.ID]bool{}
	for _, id := range side {
		c.must(id)
		inside[id] = true
	}
	if len(inside) == 0 || len(inside) == len(c.members) {
		c.t.Fatalf("conform: Partition: %d of %d replicas are on one side, and none on the other", max(len(inside), len(c.members)-len(inside)), len(c.members))
	}
	for _, a := range c.Members() {
		for _, b := range c.Members() {
			if inside[a] != inside[b] {
				c.CutOneWay(a, b)
			}
		}
	}
}

// Cut cuts the link between two replicas, in both directions.
func (c *Real[M]) Cut(a, b smr.ID) {
	c.t.Helper()
	c.CutOneWay(a, b)
	c.CutOneWay(b, a)
}

// CutOneWay cuts the link from one replica to another: no messages from from reach to.
func (c *Real[M]) CutOneWay(from, to smr.ID) {
	c.t.Helper()
	if from == to {
		c.t.Fatalf("conform: there is no link from %s to itself", from)
	}
	c.must(from)
	c.must(to)
	c.mu.Lock()
	c.cuts[[2]smr.ID{from, to}] = true
	c.mu.Unlock()
	if a := c.running[from]; a != nil {
		a.wires.CutTo(to)
	}
}

// Heal restores all links. A Disturbance stays.
func (c *Real[M]) Heal() {
	c.mu.Lock()
	clear(c.cuts)
	c.mu.Unlock()
	for _, a := range c.running {
		a.wires.Heal()
	}
}

// Disturb sets the losses, repetitions and delays of all messages from now on. The zero Disturbance ends
// them.
func (c *Real[M]) Disturb(d Disturbance) {
	c.t.Helper()
	if d.Lose < 0 || d.Lose > 1 || d.Repeat < 0 || d.Repeat > 1 || d.MinDelay < 0 || d.MaxDelay < 0 {
		c.t.Fatalf("conform: Disturb(%+v): Lose and Repeat are parts, from 0 to 1, and delays are not negative", d)
	}
	c.disturb = d
	for _, a := range c.running {
		a.wires.Disturb(d)
	}
}
