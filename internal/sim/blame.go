package sim

import (
	"fmt"
	"regexp"
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// Whether Status names the trouble. If one thing has been wrong for some time with one member, and nothing with any
// other or with the links between them, every member must know it: the others name the member in their problems, and
// the member names the resource in its own.

// ailment is a trouble of one member.
type ailment uint8

const (
	well      ailment = iota
	down              // no process runs
	paused            // its process stands still
	isolated          // all its links are cut
	deaf              // all links to it are cut
	mute              // all links from it are cut
	hungDisk          // its disk has not completed a save for some time
	fullDisk          // its disk saves nothing, for want of space or of descriptors
	hungApply         // its state machine applies nothing, although there is something to apply
)

// unreached matches the report of a member whose messages reach no other member.
var unreached = regexp.MustCompile(`has received no message from this replica|no quorum|no primary`)

// ailments states of each ailment what the member reports itself, nil if that is not demanded, and whether the
// others must name the member.
var ailments = [...]struct {
	name  string
	own   *regexp.Regexp
	named bool
}{
	down:      {"is down", nil, true},
	paused:    {"is paused", nil, true},
	isolated:  {"is isolated", unreached, true},
	deaf:      {"receives nothing", regexp.MustCompile(`no quorum|no primary`), true},
	mute:      {"is not heard", unreached, true},
	hungDisk:  {"has a hung disk", regexp.MustCompile(`disk`), true},
	fullDisk:  {"has a full disk", regexp.MustCompile(`disk|cannot save|descriptors|too many open files`), true},
	hungApply: {"has a state machine that hangs", regexp.MustCompile(`StateMachine\.Apply|is being restored`), false},
}

// blow is the only thing that is wrong in the group: an ailment of one member.
type blow struct {
	host int
	what ailment

	// In each view, and in each process, knowledge of the members begins from nothing.
	view      vsr.View
	processes int
}

// blame watches for ailments that last.
type blame struct {
	on     bool               // in runs in which nothing else makes Status report less
	lookAt time.Duration      // when it looks next
	blow   blow               // the only thing that was wrong at the last look, or well
	since  time.Duration      // since when
	looks  [len(ailments)]int // at ailments that have lasted for long enough
}

const (
	blameEvery = 50 * time.Millisecond
	hangs      = 500 * time.Millisecond // a save that takes longer hangs
	behind     = 64                     // committed ops that a member may lack and be well
)

// checkBlame returns an error if a member does not report the only thing that has been wrong for some time. A
// group that needs all members for one of the quorums, and fewer for the other, bears no failure anyway: the others need
// not report one, and with Qr = 1 a primary serves alone.
func (s *Sim) checkBlame() error {
	b, m := &s.blame, &s.members
	if !b.on {
		return nil
	}
	if uneven := max(m.Qr, m.Qv) == len(s.hosts) && m.Qr != m.Qv; uneven || s.Now() < b.lookAt || s.net.Quiet {
		return nil
	}
	b.lookAt = s.Now() + blameEvery
	if now, ok := s.onlyBlow(); !ok || now.what == well || now != b.blow {
		b.blow, b.since = now, s.Now()
		if !ok {
			b.blow = blow{}
		}
		return nil
	}
	if s.Now()-b.since <= s.silence() {
		return nil
	}
	b.looks[b.blow.what]++
	struck, x := s.hosts[b.blow.host], &ailments[b.blow.what]
	for _, h := range s.hosts {
		if h.proc == nil || s.Now() < h.pausedUntil {
			continue
		}
		problem := h.proc.seen.Problem
		switch {
		case h == struck && x.own != nil && !x.own.MatchString(problem):
			return fmt.Errorf("%s %s since %v, and its problem is %q", h.id, x.name, b.since, problem)
		case h != struck && x.named && !isAbout(problem, struck.id):
			return fmt.Errorf("%s %s since %v, and the problem of %s is %q", struck.id, x.name, b.since, h.id, problem)
		}
	}
	return nil
}

// onlyBlow returns the only thing that is wrong in the group. It reports false if there are several, or if Status cannot
// be judged.
func (s *Sim) onlyBlow() (only blow, ok bool) {
	n := s.net
	stale := n.Late > 0 || n.Replay > 0 // answers of long ago may arrive, even after the network has healed
	if !s.confirmed() || n.Restless() || stale || !n.Healed && n.Loss > 0.05 {
		return blow{}, false
	}
	for _, h := range s.hosts {
		what, known := h.ailment()
		switch {
		case !known, what != well && only.what != well:
			return blow{}, false
		case what != well:
			only = blow{host: h.i, what: what}
		}
	}
	cut, ok := s.cutOff()
	if !ok || cut.what != well && only.what != well {
		return blow{}, false
	}
	if cut.what != well {
		only = cut
	}
	only.view = s.views()
	for _, h := range s.hosts {
		only.processes += h.starts
		if only.what != well && h.i != only.host && s.judge.Committed().Op > h.proc.seen.Applied+behind {
			return blow{}, false // it catches up, and reports that
		}
	}
	return only, true
}

// views returns the highest view that a member is in.
func (s *Sim) views() (high vsr.View) {
	for _, h := range s.hosts {
		if h.proc != nil {
			high = max(high, h.proc.seen.Head.View)
		}
	}
	return high
}

// ailment returns the trouble of a member, apart from its links. It reports false if Status cannot be judged.
func (h *host) ailment() (what ailment, known bool) {
	now, p, a := h.s.Now(), h.proc, &h.faults
	switch {
	case h.lost, a.rotten, a.tailLost, h.reported, a.noReads.Active(now), a.noWrites.Active(now),
		h.slowTurns.Active(now):
		return well, false
	case p == nil:
		return down, true
	case now < h.pausedUntil:
		return paused, true
	case p.seen.Phase == vsr.Forming || p.seen.Phase == vsr.Outside:
		return well, false
	}
	hung := h.hung.Active(now) && p.applying && p.seen.Commit > p.seen.Applied
	slow := now < h.slowUntil || h.slowSaves.Active(now) || h.outage == outageHung
	switch full := p.shell.Writer.Full(); {
	case full && (slow || hung), slow && hung:
		return well, false
	case full:
		return fullDisk, true
	case hung:
		return hungApply, true
	case slow && p.writing && now-p.writingSince > hangs:
		return hungDisk, true
	}
	return well, !slow
}

// cutOff returns the member that the cut links cut off, if all cut links are to or from it. It reports false if others
// are cut.
func (s *Sim) cutOff() (blow, bool) {
	n := len(s.hosts)
	to, from, all := make([]int, n), make([]int, n), 0
	for i, links := range s.net.Links {
		for j, l := range links {
			if i != j && l.IsCut() {
				to[j]++
				from[i]++
				all++
			}
		}
	}
	if all == 0 {
		return blow{}, true
	}
	for i := range n {
		switch {
		case n < 3:
		case to[i] == n-1 && from[i] == n-1 && all == 2*(n-1):
			return blow{host: i, what: isolated}, true
		case to[i] == n-1 && all == n-1:
			return blow{host: i, what: deaf}, true
		case from[i] == n-1 && all == n-1:
			return blow{host: i, what: mute}, true
		}
	}
	return blow{}, false
}
