package sim

import (
	"slices"
	"time"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/sim/world"
)

// Hazards are the faults that chance makes in a run.
type Hazards struct {
	Every      [sources]time.Duration // the mean time between two faults of a source; 0: none
	Triggered  []triggered            // faults that follow moments of the protocol
	MemoryLoss bool                   // one member loses its memory while the others go on
	Oblivion   bool                   // all members lose their memory, one after the other
	Rereads    bool                   // crashes follow damage to disks, so that a replica reads it
	SparesLog  bool                   // damage strikes only snapshots; otherwise the log uses up most of the budget
	PowerCut   float64                // the part of crashes that cut the power
	Down       time.Duration          // the longest time for which a crashed process is down
}

// Source is a way in which chance makes faults.
type Source int

// The sources, in the order in which a seed draws them: add at the end.
const (
	crashes Source = iota
	crashesOfAll
	partitions
	cutLinks
	pauses
	slowDisks
	fullDisks
	handovers
	stops
	rotations
	crashesInStorage
	slowTurns
	badLinks
	failedSyncs
	failedIO
	rot
	clockJumps
	misdirectedWrites
	wrongStarts
	lostTails
	forgeries
	narrowLinks
	touches
	fullTogether
	hungMachines
	sources
)

// source describes a Source.
type source struct {
	stream        string  // the name of its random stream, which a seed's run depends on
	odds          float64 // that a run has it
	least, most   time.Duration
	class         fault.Class
	endsProcesses bool // volatile replicas do not survive it
	strike        func(c *chance, r world.Stream)
}

const msec, sec = time.Millisecond, time.Second

var sourceTable = [sources]source{
	crashes:           {"crash", 0.5, 300 * msec, 10 * sec, fault.CrashClass, false, (*chance).crashOne},
	crashesOfAll:      {"crash all", 0.15, 2 * sec, 15 * sec, fault.CrashClass, true, (*chance).crashAll},
	partitions:        {"partition", 0.4, 500 * msec, 10 * sec, fault.PartitionClass, false, (*chance).partition},
	cutLinks:          {"cut", 0.4, 200 * msec, 5 * sec, fault.PartitionClass, false, (*chance).cutLink},
	pauses:            {"pause", 0.3, 500 * msec, 10 * sec, fault.PauseClass, false, (*chance).pauseOne},
	slowDisks:         {"slow disk", 0.3, sec, 10 * sec, fault.DiskClass, false, (*chance).slowDisk},
	fullDisks:         {"full disk", 0.15, 2 * sec, 15 * sec, fault.DiskClass, true, (*chance).fillDisk},
	handovers:         {"hand over", 0.25, sec, 10 * sec, fault.HandoverClass, false, (*chance).handOver},
	stops:             {"stop in order", 0.2, 2 * sec, 15 * sec, fault.CrashClass, true, (*chance).stop},
	rotations:         {"rotate", 0.4, 500 * msec, 10 * sec, fault.PartitionClass, false, (*chance).rotatePrimaries},
	crashesInStorage:  {"crash in storage", 0.4, 300 * msec, 10 * sec, fault.CrashClass, true, (*chance).crashIn},
	slowTurns:         {"slow turns", 0.15, 2 * sec, 10 * sec, fault.PauseClass, false, (*chance).slowTurns},
	badLinks:          {"bad link", 0.2, sec, 10 * sec, fault.NetworkClass, false, (*chance).badLink},
	failedSyncs:       {"fail sync", 0.2, 2 * sec, 15 * sec, fault.DiskClass, true, (*chance).failSync},
	failedIO:          {"fail io", 0.15, 2 * sec, 15 * sec, fault.DiskClass, true, (*chance).failIO},
	rot:               {"rot", 0.15, 2 * sec, 15 * sec, fault.DiskClass, true, (*chance).rot},
	clockJumps:        {"clock", 0.2, 2 * sec, 15 * sec, fault.ClockClass, false, (*chance).jumpClock},
	misdirectedWrites: {"misdirect", 0.15, 300 * msec, 10 * sec, fault.DiskClass, true, (*chance).misdirect},
	wrongStarts:       {"mistaken", 0.1, 300 * msec, 10 * sec, fault.DiskClass, true, (*chance).startWrongly},
	lostTails:         {"lost tail", 0.1, 300 * msec, 10 * sec, fault.DiskClass, true, (*chance).loseTail},
	forgeries:         {"forge", 0.1, 300 * msec, 10 * sec, fault.NetworkClass, false, (*chance).forge},
	touches:           {"touch", 0.1, 300 * msec, 10 * sec, fault.DiskClass, true, (*chance).touchFolder},
	narrowLinks:       {"narrow link", 0.15, 300 * msec, 10 * sec, fault.NetworkClass, false, (*chance).narrowLink},
	fullTogether:      {"full disks", 0.1, 3 * sec, 20 * sec, fault.DiskClass, true, (*chance).fillDisks},
	hungMachines:      {"hang apply", 0.1, sec, 15 * sec, fault.PauseClass, false, (*chance).hangApply},
}

// draw turns a source on in some runs.
func (h *Hazards) draw(s world.Stream, i Source) {
	x := &sourceTable[i]
	if d := s.Scale(x.least, x.most); s.Chance(x.odds) {
		h.Every[i] = d
	}
}

// drawHazards chooses the hazards of a run; some runs are calm.
func drawHazards(s world.Stream) *Hazards {
	h := &Hazards{Rereads: true}
	h.Down = s.Scale(10*time.Millisecond, 8*time.Second)
	h.PowerCut = world.OneOf(s, 0, 0.5, 1)
	calm := s.Chance(0.1)
	for i := range misdirectedWrites {
		h.draw(s, i)
	}
	h.MemoryLoss = s.Chance(0.1)
	h.Triggered = drawTriggered(s)
	if calm {
		return &Hazards{Down: h.Down, Rereads: true}
	}
	return h
}

// drawSilent turns on faults that disks and operators do not report.
func (h *Hazards) drawSilent(s world.Stream) {
	h.draw(s, misdirectedWrites)
	h.draw(s, wrongStarts)
	if d := s.Scale(200*time.Millisecond, 1500*time.Millisecond); s.Chance(0.1) {
		h.Every[rot] = d // ten times as often as in other runs
	}
	h.SparesLog = s.Chance(0.2)
	h.draw(s, lostTails)
	h.Oblivion = s.Chance(0.04)
	h.draw(s, forgeries)
	h.draw(s, touches)
	h.draw(s, narrowLinks)
	h.draw(s, fullTogether)
	h.draw(s, hungMachines)
}

// any reports whether any source makes faults.
func (h *Hazards) any() bool { return h.Every != [sources]time.Duration{} }

// stretch makes every source's faults that many times rarer.
func (h *Hazards) stretch(times int) {
	for i := range h.Every {
		h.Every[i] *= time.Duration(times)
	}
}

// spareProcesses leaves out the sources that end processes, except for crashes, which the budget limits.
func (h *Hazards) spareProcesses() {
	for i := range sourceTable {
		if sourceTable[i].endsProcesses {
			h.Every[i] = 0
		}
	}
}

// Restrict leaves only faults of these classes in a run.
func Restrict(p *Setup, h *Hazards, x fault.Class) {
	for i := range sourceTable {
		if x&sourceTable[i].class == 0 {
			h.Every[i] = 0
		}
	}
	h.Triggered = slices.DeleteFunc(h.Triggered, func(t triggered) bool { return x&t.response.class() == 0 })
	h.Rereads = h.Rereads && x&fault.CrashClass != 0
	h.MemoryLoss = h.MemoryLoss && x&fault.LostDiskClass != 0
	h.Oblivion = h.Oblivion && x&fault.LostDiskClass != 0
	if x&fault.NetworkClass == 0 {
		p.Network = world.Conditions{Delay: p.Network.Delay, Jitter: min(p.Network.Jitter, p.Network.Delay/4)}
	}
	if x&fault.ClockClass == 0 {
		p.Drift, p.ClockGap = 0, 0
	}
	if x&fault.PauseClass == 0 {
		p.Turn = 0
	}
	p.Unhealed = p.Unhealed.only(x)
}
