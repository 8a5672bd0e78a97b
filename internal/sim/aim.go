package sim

import "time"

// armed is a fault that waits for its moment.
type armed struct {
	asked int // which of those asked for
	left  int // of its moments
}

// hook is what a test wants done at a moment.
type hook struct {
	host    int
	when    Moment
	message MessageKind // 0: any
	do      func()
}

// On has do called right after each moment of this kind at host; message 0 is any.
func (s *Sim) On(host int, when Moment, message MessageKind, do func()) {
	s.hooks = append(s.hooks, hook{host, when, message, do})
}

// instant is what has happened at the present time.
type instant struct {
	at      time.Duration
	moments []Aim
}

// count returns how many such moments there were at the present time.
func (x *instant) count(host int, when Moment, m MessageKind) (n int) {
	for _, a := range x.moments {
		if a.Host == host && a.When == when && (m == 0 || a.Message == m) {
			n++
		}
	}
	return n
}

// happened lets follow what was to follow this moment.
func (s *Sim) happened(h *host, when Moment, m MessageKind) {
	if s.instant.at != s.now {
		s.instant.at, s.instant.moments = s.now, s.instant.moments[:0]
	}
	s.instant.moments = append(s.instant.moments, Aim{Host: h.i, When: when, Message: m})
	if len(s.armed) > 0 {
		s.shootArmed(h, when, m)
	}
	if s.makers != nil {
		s.makers.aimed(s, h, when, m)
	}
	for i := range s.hooks {
		if x := &s.hooks[i]; x.host == h.i && x.when == when && (x.message == 0 || x.message == m) && h.proc != nil {
			x.do()
		}
	}
}

// shootArmed makes the faults that have waited for this moment.
func (s *Sim) shootArmed(h *host, when Moment, m MessageKind) {
	var due []int
	kept := s.armed[:0]
	for _, x := range s.armed {
		a := s.asked[x.asked].After
		if a.Host == h.i && a.When == when && (a.Message == 0 || a.Message == m) {
			x.left--
		}
		if x.left == 0 {
			due = append(due, x.asked)
		} else {
			kept = append(kept, x)
		}
	}
	s.armed = kept
	for _, i := range due {
		a := *s.asked[i].After
		a.Nth = s.instant.count(a.Host, a.When, a.Message)
		s.aim = &a
		s.fulfil(i)
		s.aim = nil
	}
}

// aim is a fault that chance makes after something the protocol does: by time alone it rarely hits
// the moments that matter.
type aim struct {
	when    Moment
	message MessageKind
	odds    float64 // that a moment of this kind is followed by the fault
	what    shot
}

// shot is the fault itself.
type shot uint8

const (
	crashes  shot = iota // the machine goes down
	isolates             // it is cut off from all others for a while
	pauses               // its process stands still for a while
)

func drawAims(s stream) []aim {
	kinds := []string{"Prepare", "PrepareOK", "Commit", "StartViewChange", "DoViewChange", "DoViewChange",
		"GetState", "NewState", "Gap", "Request", "SnapshotOffer", "SnapshotChunk", "ReadRoundOK"}
	var aims []aim
	for range s.IntN(4) {
		a := aim{when: Moment(s.IntN(int(moments))), what: oneOf(s, crashes, crashes, isolates, pauses), message: MessageNamed(oneOf(s, kinds...))}
		a.odds = oneOf(s, 0.001, 0.01, 0.05)
		switch a.message.String() {
		case "Prepare", "PrepareOK", "Commit":
			a.odds /= 10
		case "StartViewChange", "DoViewChange", "GetState", "NewState":
			a.odds *= 4
		}
		switch a.when {
		case Issued, Saved, Applied:
			a.message, a.odds = 0, 0.002
		case Alone:
			a.message, a.odds = 0, oneOf(s, 0.003, 0.03)
		case Led, Changes:
			a.message, a.odds = 0, oneOf(s, 0.05, 0.3)
		}
		aims = append(aims, a)
	}
	return aims
}

// aimed makes the faults that are aimed at this moment.
func (x *makers) aimed(s *Sim, h *host, when Moment, m MessageKind) {
	if !s.troubled() {
		return
	}
	if when == Sent && m == snapshotOffer {
		x.spoil(s, h)
	}
	for i := range x.Aims {
		a := &x.Aims[i]
		if a.when != when || a.message != m || h.proc == nil || !x.aims[i].chance(a.odds) {
			continue
		}
		s.aim = &Aim{Host: h.i, When: when, Message: m, Nth: s.instant.count(h.i, when, m)}
		s.shoot(h, a.what, x.aims[i])
		s.aim = nil
	}
}

var snapshotOffer = MessageNamed("SnapshotOffer")

// spoil makes the fault that has waited for the host to offer its snapshot, if it may still lose its
// memory.
func (x *makers) spoil(s *Sim, h *host) {
	f, ok := x.spoils[h]
	if delete(x.spoils, h); !ok || !s.atlas.mayLose(h) {
		return
	}
	s.aim = &Aim{Host: h.i, When: Sent, Message: snapshotOffer, Nth: s.instant.count(h.i, Sent, snapshotOffer)}
	s.make(f)
	s.aim = nil
}

func (s *Sim) shoot(h *host, what shot, r stream) {
	d := r.scale(10*time.Millisecond, 3*time.Second)
	switch what {
	case crashes:
		s.crash(r, h)
	case isolates:
		s.isolate(h, d)
	case pauses:
		s.make(Fault{Kind: oneOf(r, Pause, Pause, Suspend), Host: h.i, For: d})
		if t := s.makers; t.Partition+t.Cut+t.Rotate > 0 && r.chance(0.4) { // and what has happened meanwhile it does not hear at once
			s.isolate(h, d+r.scale(10*time.Millisecond, time.Second))
		}
	}
}

// isolate cuts a member off, if there are others.
func (s *Sim) isolate(h *host, d time.Duration) {
	if len(s.hosts) > 1 {
		s.make(Fault{Kind: Isolate, Host: h.i, For: d})
	}
}
