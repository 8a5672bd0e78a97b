package vsr

import "fmt"

// The invariants that bind several members. Those that bind a member to its own past are checked by
// the group in which its events run.

// longer returns the longer of two histories of committed ops, one of which must extend the other
// (2).
func (x *explorer) longer(a, b uint32) (uint32, error) {
	s, t := x.histories.all[a], x.histories.all[b]
	for i := range min(len(s), len(t)) {
		if s[i] != t[i] {
			return 0, fmt.Errorf("11.2: %s is committed, elsewhere %s", stampText(s[i]), stampText(t[i]))
		}
	}
	if len(s) >= len(t) {
		return a, nil
	}
	return b, nil
}

// check checks the world that results from a step of member r.
func (x *explorer) check(to, from *world, r int) error {
	p, was := x.seats[to.seats[r]].place, x.seats[from.seats[r]].place
	if p.entries != was.entries {
		if err := x.checkPairs(to, r); err != nil {
			return err
		}
	}
	canon := x.shares[to.shared].canon
	if p.disk == was.disk && canon == x.shares[from.shared].canon {
		return nil
	}
	var disks members
	for i := range x.scope.replicas {
		disks[i] = x.seats[to.seats[i]].place.disk
	}
	checked := x.disksChecked[disks]
	if checked == nil {
		checked = map[uint32]bool{}
		x.disksChecked[disks] = checked
	}
	if checked[canon] {
		return nil
	}
	checked[canon] = true
	return x.checkChoices(to, canon)
}

// checkPairs compares the entries that member r holds with each other member's (4).
func (x *explorer) checkPairs(w *world, r int) error {
	p := x.seats[w.seats[r]].place
	for i := range x.scope.replicas {
		o := x.seats[w.seats[i]].place
		pair := [2]uint32{p.entries, o.entries}
		if i == r || x.pairsChecked[pair] {
			continue
		}
		x.pairsChecked[pair] = true
		if err := comparePlaces(p, o); err != nil {
			return err
		}
	}
	return nil
}

func comparePlaces(places ...*place) error {
	y := newHistory()
	for _, p := range places {
		if err := y.checkEntries(&p.host.core.log, 0); err != nil {
			return err
		}
		if err := y.checkDisk(p.host); err != nil {
			return err
		}
	}
	return nil
}

// checkChoices checks that the durable logs preserve every committed entry (3).
func (x *explorer) checkChoices(w *world, canon uint32) error {
	g := &testGroup{config: x.config, history: newHistory()}
	for i := range x.scope.replicas {
		g.hosts = append(g.hosts, x.seats[w.seats[i]].place.host)
	}
	for _, s := range x.histories.all[canon] {
		e := Entry{Op: s.Op, View: s.View, Epoch: s.Epoch}
		if s.Op == 1 {
			e = x.formation
		}
		g.history.canon[s.Op] = e
	}
	return g.history.checkChoices(g)
}

// checkMachine compares a state with a replay of the log (8).
func checkMachine(h *host) error {
	var replayed machine
	for op := OpNumber(1); op <= h.core.applied; op++ {
		e := h.core.log.entries(op, op, 0)
		if e == nil {
			e = h.disk.load(op, op)
		}
		replayed.apply(&e[0])
	}
	if h.machine.text() != replayed.text() {
		return fmt.Errorf("11.8: state is %s, replayed it is %s", h.machine.text(), replayed.text())
	}
	return nil
}
