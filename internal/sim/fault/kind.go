package fault

import "time"

// Kind is a kind of fault.
type Kind uint8

// The kinds of faults. Their numbers are part of a run's hash: add, never renumber.
const (
	none                Kind = iota
	Crash                    // the process ends, as by SIGKILL; N > 0: again at the Nth change of the disk after that
	PowerCut                 // unsynced writes survive in pieces; N as for Crash
	CrashIn                  // a Crash or PowerCut at the Nth change of the disk from now on
	Start                    // the process starts, if it is down
	Stop                     // it leaves and ends, as Close does
	Pause                    // it stands still
	Resume                   // ends Pause and Suspend
	Suspend                  // its machine stands still, and so does its monotonic clock
	SlowTurns                // each turn of its loop takes up to N ns; 0: ends SlowTurns
	Isolate                  // all links to and from the host are cut
	Deafen                   // all links to the host are cut
	Join                     // ends Isolate and Deafen
	Cut                      // the link from Host to To is cut
	Mend                     // ends Cut
	Split                    // the hosts whose bit in N is set are cut off from the others
	SplitOneWay              // the links from the former to the latter are cut
	Bridge                   // Split, but Host reaches all
	Ring                     // each host reaches only its neighbours in the list
	SlowLink                 // messages from Host to To take N ns longer; 0: ends SlowLink
	LossyLink                // N of 1,000 messages from Host to To are lost; 0: ends LossyLink
	ClockJump                // the host's wall clock jumps by N ns
	SlowDisk                 // saves take up to N ns longer; 0: ends SlowDisk
	FullDisk                 // the disk has N bytes left
	Space                    // ends FullDisk
	FailSync                 // the Nth sync from now on fails (F12)
	FailReads                // reads fail (F11)
	FailWrites               // every change of the disk fails (F14)
	RotLog                   // a bit in the record of op N flips (F6)
	RotHead                  // a bit in copy N (0 or 1) of the log's head flips (F8)
	RotSnapshot              // a bit in the latest snapshot flips (F9)
	LostInLog                // the write that stored op N was never done (F10)
	LostInHead               // the last write of the head's older copy was never done
	LostInSnapshot           // a write of the latest snapshot was never done
	MisplacedInLog           // another write of the log lies where the one that stored op N should be (F10)
	MisplacedInSnapshot      // one chunk of the latest snapshot lies where another should be
	StrayWrite               // a copy of an earlier write lies behind the end of the log
	Wipe                     // the disk is empty (F16)
	ForeignStart             // To, or if that is Host its namesake in another group, starts on its directory (F17)
	SecondStart              // a second process starts on the directory of a running one (F18)
	HandOver                 // an operator asks the host to hand its role over to To; For > 0: and then gives up
	LostTail                 // the process ends, and the last write of its log, which no mark covers, is undone (S6)
	ForgeRequest             // a number in the next request that it forwards is one that it must not have
	NarrowLink               // the link from Host to To carries N bytes a second; 0: ends NarrowLink
	RemoveFolder             // the process ends, and a folder is removed: N = 0 the log, 1 the snapshots (F19)
	OlderFolder              // the process ends after For, and folder N is what it was before For
	OthersFolder             // the process ends, and folder N is that of To
	HangApply                // the state machine applies nothing
	NoDescriptors            // no file can be opened (F13)
	Kinds                    // the number of kinds
)

// names is the set of replicas that a fault names.
type names uint8

const (
	host         names = iota
	link               // Host and To, which differ
	another            // Host and To
	anotherOrAny       // Host and To, or Host and -1 for any
	everyone           // none
)

// amount is the meaning of N, which a schedule writes accordingly.
type amount uint8

const (
	number amount = iota // n 3
	count                // n 3, from 1
	op                   // n 3: an op in the log
	span                 // by 20ms
	shift                // by 20ms or by -20ms
	share                // losing 250/1000
	side                 // of a,c
)

// row describes a kind of fault, except for its effect.
type row struct {
	name        string
	class       Class
	names       names
	amount      amount
	running     bool                                 // it strikes only running processes
	ends        bool                                 // a test must give the time for which it lasts
	losesMemory bool                                 // it may make a member lose acknowledged state
	manual      bool                                 // schedules and tests use it, but chance does not
	cuts        func(f *Fault, from, to, n int) bool // the links that it cuts
	simpler     []Kind                               // kinds that may cause the same failure
	script      func(n int64) int64                  // N for 16 bits of a script; nil: no script has the kind
}

var table = [Kinds]row{
	Crash:    {name: "crash", class: CrashClass, running: true, script: below16},
	PowerCut: {name: "power-cut", class: CrashClass, running: true, simpler: []Kind{Crash}, script: below16},
	CrashIn: {name: "crash-in", class: CrashClass, amount: count, simpler: []Kind{Crash, PowerCut},
		script: from1to16},
	Start:   {name: "start", class: CrashClass, manual: true},
	Stop:    {name: "stop", class: CrashClass, running: true, simpler: []Kind{Crash, PowerCut}, script: zero},
	Pause:   {name: "pause", class: PauseClass, running: true, script: zero},
	Resume:  {name: "resume", class: PauseClass, running: true, manual: true},
	Suspend: {name: "suspend", class: PauseClass, running: true, ends: true, simpler: []Kind{Pause}, script: zero},
	SlowTurns: {name: "slow-turns", class: PauseClass, amount: span, running: true, simpler: []Kind{Pause},
		script: times(time.Microsecond)},
	HangApply: {name: "hang-apply", class: PauseClass, running: true, simpler: []Kind{Pause}, script: zero},

	Isolate: {name: "isolate", class: PartitionClass, cuts: isolates, script: zero},
	Deafen:  {name: "deafen", class: PartitionClass, cuts: deafens, simpler: []Kind{Isolate}, script: zero},
	Join:    {name: "join", class: PartitionClass},
	Cut:     {name: "cut", class: PartitionClass, names: link, script: zero},
	Mend:    {name: "mend", class: PartitionClass, names: link, manual: true},
	Split: {name: "split", class: PartitionClass, names: everyone, amount: side, cuts: splits,
		simpler: []Kind{Isolate}, script: same},
	SplitOneWay: {name: "split-one-way", class: PartitionClass, names: everyone, amount: side, cuts: splitsOneWay,
		simpler: []Kind{Isolate}, script: same},
	Bridge: {name: "bridge", class: PartitionClass, amount: side, cuts: bridges, simpler: []Kind{Isolate},
		script: same},
	Ring: {name: "ring", class: PartitionClass, names: everyone, cuts: rings, simpler: []Kind{Isolate},
		script: zero},

	SlowLink: {name: "slow-link", class: NetworkClass, names: link, amount: span, simpler: []Kind{Cut},
		script: times(100 * time.Microsecond)},
	LossyLink: {name: "lossy-link", class: NetworkClass, names: link, amount: share, simpler: []Kind{Cut},
		script: func(n int64) int64 { return n % 1001 }},
	NarrowLink: {name: "narrow-link", class: NetworkClass, names: link, simpler: []Kind{Cut},
		script: times(time.Nanosecond)},
	ForgeRequest: {name: "forge-request", class: NetworkClass, running: true, script: zero},
	ClockJump: {name: "clock-jump", class: ClockClass, amount: shift,
		script: func(n int64) int64 { return (n - 1<<15) * int64(time.Second) }},

	SlowDisk:   {name: "slow-disk", class: DiskClass, amount: span, script: times(time.Millisecond)},
	FullDisk:   {name: "full-disk", class: DiskClass, script: same},
	Space:      {name: "space", class: DiskClass, manual: true},
	FailSync:   {name: "fail-sync", class: DiskClass, amount: count, script: from1to16},
	FailReads:  {name: "fail-reads", class: DiskClass, script: zero},
	FailWrites: {name: "fail-writes", class: DiskClass, script: zero},

	NoDescriptors: {name: "no-descriptors", class: DiskClass, script: zero},

	RotLog:              {name: "rot-log", class: DiskClass, amount: op, losesMemory: true},
	RotHead:             {name: "rot-head", class: DiskClass, losesMemory: true},
	RotSnapshot:         {name: "rot-snapshot", class: DiskClass, losesMemory: true},
	LostInLog:           {name: "lost-in-log", class: DiskClass, amount: op, losesMemory: true},
	LostInHead:          {name: "lost-in-head", class: DiskClass, running: true},
	LostInSnapshot:      {name: "lost-in-snapshot", class: DiskClass, losesMemory: true},
	MisplacedInLog:      {name: "misplaced-in-log", class: DiskClass, amount: op, losesMemory: true},
	MisplacedInSnapshot: {name: "misplaced-in-snapshot", class: DiskClass, losesMemory: true},
	StrayWrite:          {name: "stray-write", class: DiskClass, running: true},
	Wipe:                {name: "wipe", class: LostDiskClass, losesMemory: true},

	ForeignStart: {name: "foreign-start", class: DiskClass, names: another},
	SecondStart:  {name: "second-start", class: DiskClass, running: true},
	LostTail:     {name: "lost-tail", class: DiskClass, losesMemory: true, simpler: []Kind{Crash}},
	RemoveFolder: {name: "remove-folder", class: DiskClass, losesMemory: true, simpler: []Kind{Crash}},
	OlderFolder:  {name: "older-folder", class: DiskClass, losesMemory: true, ends: true, simpler: []Kind{Crash}},
	OthersFolder: {name: "others-folder", class: DiskClass, names: another, losesMemory: true, simpler: []Kind{Crash}},
	HandOver:     {name: "hand-over", class: HandoverClass, names: anotherOrAny, running: true, script: zero},
}

func isolates(f *Fault, from, to, _ int) bool     { return f.Host == from || f.Host == to }
func deafens(f *Fault, _, to, _ int) bool         { return f.Host == to }
func splits(f *Fault, from, to, _ int) bool       { return f.inside(from) != f.inside(to) }
func splitsOneWay(f *Fault, from, to, _ int) bool { return f.inside(from) && !f.inside(to) }
func bridges(f *Fault, from, to, n int) bool {
	return splits(f, from, to, n) && !isolates(f, from, to, n)
}
func rings(_ *Fault, from, to, n int) bool { return (from+1)%n != to && (to+1)%n != from }

// inside reports whether a replica's bit in N is set.
func (f *Fault) inside(host int) bool { return f.N>>host&1 != 0 }

func zero(int64) int64        { return 0 }
func same(n int64) int64      { return n }
func below16(n int64) int64   { return n & 15 }
func from1to16(n int64) int64 { return 1 + n&15 }

func times(unit time.Duration) func(n int64) int64 {
	return func(n int64) int64 { return n * int64(unit) }
}

func (k Kind) row() *row { return &table[k] }

// String returns the kind's name in schedules.
func (k Kind) String() string { return k.row().name }

// Class returns the kind's class.
func (k Kind) Class() Class { return k.row().class }

// NamesTwo reports whether faults of the kind name a second replica, To.
func (k Kind) NamesTwo() bool {
	return k.row().names == link || k.row().names == another || k.row().names == anotherOrAny
}

// NamesLink reports whether faults of the kind strike the link from Host to To.
func (k Kind) NamesLink() bool { return k.row().names == link }

// NamesNone reports whether faults of the kind strike all replicas and name none.
func (k Kind) NamesNone() bool { return k.row().names == everyone }

// HasSide reports whether N is the set of replicas on one side.
func (k Kind) HasSide() bool { return k.row().amount == side }

// NamesOp reports whether N is an op in the log.
func (k Kind) NamesOp() bool { return k.row().amount == op }

// NeedsProcess reports whether faults of the kind strike only running processes.
func (k Kind) NeedsProcess() bool { return k.row().running }

// LosesMemory reports whether the kind may make a member lose acknowledged state.
func (k Kind) LosesMemory() bool { return k.row().losesMemory }

// Manual reports whether schedules and tests use the kind, but chance does not.
func (k Kind) Manual() bool { return k.row().manual }
