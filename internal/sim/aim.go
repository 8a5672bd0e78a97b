package sim

import (
	"fmt"
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// aim is a fault that follows something the protocol does: chance alone rarely hits the moments
// that matter.
type aim struct {
	when moment
	kind string  // of the message; "" for saves
	odds float64 // that a moment of this kind is followed by the fault
	what shot
}

// moment is a point at which an aim can be taken.
type moment uint8

const (
	sent     moment = iota // right after a message went to one of those it is for
	received               // right after a message came in
	saves                  // right after a save was issued
	saved                  // right after a save became durable, before the core hears of it
)

// shot is the fault itself.
type shot uint8

const (
	crashes  shot = iota // the machine goes down
	isolates             // it is cut off from all others for a while
	pauses               // its process stands still for a while
)

func (a aim) String() string {
	return fmt.Sprintf("%s when it has %s %s",
		[]string{"crash", "isolate", "pause"}[a.what], []string{"sent", "received", "issued a save", "saved"}[a.when], a.kind)
}

func drawAims(s stream) []aim {
	kinds := []string{"Prepare", "PrepareOK", "Commit", "StartViewChange", "DoViewChange", "DoViewChange",
		"GetState", "NewState", "Gap", "Request", "SnapshotOffer", "SnapshotChunk", "ReadRoundOK"}
	var aims []aim
	for range s.IntN(4) {
		a := aim{when: moment(s.IntN(4)), what: oneOf(s, crashes, crashes, isolates, pauses), kind: oneOf(s, kinds...)}
		a.odds = oneOf(s, 0.001, 0.01, 0.05)
		switch a.kind {
		case "Prepare", "PrepareOK", "Commit":
			a.odds /= 10
		case "StartViewChange", "DoViewChange", "GetState", "NewState":
			a.odds *= 4
		}
		if a.when == saves || a.when == saved {
			a.kind, a.odds = "", 0.002
		}
		aims = append(aims, a)
	}
	return aims
}

// aimed lets the faults happen that are aimed at this moment.
func (s *Sim) aimed(h *host, when moment, m vsr.Message) {
	if !s.troubled() {
		return
	}
	for i, a := range s.p.Faults.Aims {
		if a.when != when || m != nil && a.kind != kindOf(m) || h.proc == nil || !s.aims[i].chance(a.odds) {
			continue
		}
		s.note(h.i, "is aimed at:", uint64(i), a)
		s.shoot(h, a.what, s.aims[i])
	}
}

func (s *Sim) shoot(h *host, what shot, rng stream) {
	d := rng.scale(10*time.Millisecond, 3*time.Second)
	switch what {
	case crashes:
		h.down(rng.chance(s.p.Faults.PowerCut))
	case isolates:
		s.isolate(h, d)
	case pauses:
		h.pausedUntil = max(h.pausedUntil, s.now+d)
	}
}
