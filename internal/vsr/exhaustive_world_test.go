package vsr

import "slices"

// take applies a step of member r to a world; false if it leads out of the scope.
func (x *explorer) take(w []uint32, r int, st *step) (in bool, err error) {
	n := x.scope.replicas
	e := x.shares[w[n]]
	if !e.count(x.scope, st.event) {
		return false, nil
	}
	if e.canon, err = x.longer(e.canon, st.to.committed); err != nil {
		return false, err
	}
	w[r] = st.seat
	if st.event.last {
		if err := x.surviveCrashes(w[:n], r); err != nil {
			return false, err
		}
	}
	x.post(w, st.posts)
	w[n] = x.shared(e)
	return true, nil
}

// count counts what is bounded; false if it is too much.
func (e *shared) count(s scope, ev event) bool {
	switch ev.kind {
	case crash:
		e.crashes++
		return int(e.crashes) <= s.crashes && ev.last == (int(e.crashes) == s.crashes)
	case propose:
		e.ops++
		return int(e.ops) == ev.n
	}
	return true
}

// post adds messages to what may reach each member.
func (x *explorer) post(w []uint32, posts uint32) {
	for i, mail := range x.posted.all[posts] {
		w[i] = x.receive(w[i], mail)
	}
}

// surviveCrashes tells all members but r that there will be no crash any more.
func (x *explorer) surviveCrashes(w []uint32, r int) error {
	var posts []uint32
	for i := range w {
		if i == r {
			continue
		}
		st, err := x.surviving(w[i])
		if err != nil {
			return err
		}
		w[i] = st.seat
		posts = append(posts, st.posts)
	}
	for _, p := range posts {
		x.post(w, p)
	}
	return nil
}

// surviving returns what becomes of a seat when there will be no crash any more.
func (x *explorer) surviving(id uint32) (*step, error) {
	s := x.seats[id]
	if s.survived == nil {
		to, sent, err := x.happen(s.place, event{kind: survive}, nil)
		if err != nil {
			return nil, err
		}
		s.survived = &step{next{event{kind: survive}, to, x.posts(append(sent, to.said...))}, x.seat(to, s.mail)}
	}
	return s.survived, nil
}

// insert adds a world unless another one covers it: one with the same places, to which all messages may come that may come
// to it, and so can happen all that can happen to it. Those that it covers are dead. It reports whether the places are new.
func (x *explorer) insert(w []uint32, parent uint32) (isNew bool) {
	key := x.keyOf(w)
	list, known := x.best[key]
	if slices.ContainsFunc(list, func(o uint32) bool { return x.covers(x.world(int(o)), w) }) {
		return false
	}
	kept := list[:0]
	for _, o := range list {
		if x.dead[o] = x.covers(w, x.world(int(o))); !x.dead[o] {
			kept = append(kept, o)
		}
	}
	x.best[key] = append(kept, uint32(x.worlds()))
	x.all = append(x.all, w...)
	x.parents, x.dead = append(x.parents, parent), append(x.dead, false)
	return !known
}

// keyOf is a world without its messages.
func (x *explorer) keyOf(w []uint32) (k worldKey) {
	n := x.scope.replicas
	for i := range n {
		k[i] = x.seats[w[i]].place.id
	}
	k[maxMembers] = w[n]
	return k
}

// covers reports whether every message that may reach a member in b may reach it in a.
func (x *explorer) covers(a, b []uint32) bool {
	for i := range x.scope.replicas {
		if a[i] != b[i] && !x.seats[b[i]].within(x.seats[a[i]]) {
			return false
		}
	}
	return true
}

// within reports whether all of a seat's messages are in another one's too.
func (s *seat) within(t *seat) bool {
	if len(s.bits) > len(t.bits) {
		return false
	}
	for i := range s.bits {
		if s.bits[i]&^t.bits[i] != 0 {
			return false
		}
	}
	return true
}
