package vsr

import "slices"

// take applies a step of member r to a world. It returns false if the step leaves the scope.
func (x *explorer) take(w *world, r int, st *step) (in bool, err error) {
	e := x.shares[w.shared]
	if st.event.kind == propose {
		e.ops++
		if int(e.ops) != st.event.n {
			return false, nil
		}
	}
	if e.canon, err = x.longer(e.canon, st.to.committed); err != nil {
		return false, err
	}
	w.seats[r] = st.seat
	x.post(w, st.posts)
	w.shared = x.shared(e)
	return true, nil
}

// post adds messages to the mail of each receiver.
func (x *explorer) post(w *world, posts uint32) {
	for i, mail := range x.posted.all[posts] {
		w.seats[i] = x.receive(w.seats[i], mail)
	}
}

// insert adds a world to those to be expanded, unless another one covers it. It marks the worlds
// that the new one covers as dead.
func (x *explorer) insert(w world, from origin) (isNew bool) {
	g := x.ranks.group(w.rank(x), x.bodies(&w))
	for i := range g.worlds {
		if o := &g.worlds[i]; !o.dead && x.covers(o, &w) {
			return false
		}
	}
	for i := range g.worlds {
		if o := &g.worlds[i]; !o.dead {
			o.dead = x.covers(&w, o)
		}
	}
	if !g.begun {
		g.worlds = slices.DeleteFunc(g.worlds, func(o world) bool { return o.dead })
	}
	w.number = uint32(len(x.origins))
	x.origins = append(x.origins, from)
	g.worlds = append(g.worlds, w)
	return true
}

// bodies returns a world without its messages.
func (x *explorer) bodies(w *world) (b members) {
	for i := range x.scope.replicas {
		b[i] = x.seats[w.seats[i]].place.body
	}
	return b
}

// covers reports whether everything that can happen to b, which has the same bodies, can happen to a, and is checked there as
// strictly:
//   - every message that may reach a member in b may reach it in a,
//   - no member in a knows a later start of another than in b, so that it accepts every message that it accepts in b,
//   - at least as many ops are known to be committed, and as many operations may follow.
func (x *explorer) covers(a, b *world) bool {
	if a.shared != b.shared && !x.sharesCover(x.shares[a.shared], x.shares[b.shared]) {
		return false
	}
	for i := range x.scope.replicas {
		if a.seats[i] != b.seats[i] && !x.seats[a.seats[i]].covers(x.seats[b.seats[i]]) {
			return false
		}
	}
	return true
}

// sharesCover compares the shared state. Operations are numbered, so a different number of them
// that may follow means different operations, unless b allows none.
func (x *explorer) sharesCover(a, b shared) bool {
	if a.ops != b.ops && int(b.ops) < x.scope.ops {
		return false
	}
	s, t := x.histories.all[a.canon], x.histories.all[b.canon]
	return a.canon == b.canon || len(s) > len(t) && slices.Equal(s[:len(t)], t)
}

// covers compares seats whose bodies are the same.
func (s *seat) covers(t *seat) bool {
	if len(s.bits) < len(t.bits) {
		return false
	}
	for i := range t.bits {
		if t.bits[i]&^s.bits[i] != 0 {
			return false
		}
	}
	for i, start := range s.place.starts {
		if start > t.place.starts[i] {
			return false
		}
	}
	return true
}
