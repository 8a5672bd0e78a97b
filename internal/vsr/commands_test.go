package vsr

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// script runs the commands of one transcript.
//
//	new 3 [options]       members with empty disks, not started
//	group 3 [options]     a group that is formed and quiet; options: qr= qv= window= tail= keep= fast
//	start a b             start from the disk
//	propose a x=1 y=2     operations without a session, appended to the primary's log in one turn
//	request c x=1         a proposal of a caller at c, with sessions
//	forge c 99 x=1        c sends the primary x=1 in a session with that number, though it has none; new: to open one
//	read b                a linearizable read of a caller at b
//	deliver [a→b [Kind]]  deliver messages in transit now; by default all that are not held
//	drop, duplicate [a→b [Kind]]
//	estrange a→b [Kind]   make messages in transit come from another incarnation of the sender
//	carried a b           a part of a large message to b has arrived there
//	part a b              a sends b a part of a large message
//	hold, lose a→b [Kind] such messages, now and later, move only when named, or are lost
//	saved a [n]           complete the oldest n saves, by default all
//	crash a [keep=n]      stop; n of the saves not reported were durable nevertheless
//	wipe a                empty the disk of a stopped member
//	cut a b               cut the links between those members and the others
//	join                  restore the links
//	heal                  restore the links, and neither hold nor lose messages
//	hang a, unhang a      saves do not complete
//	pause a, resume a     the process does not run
//	suspect a b           the detector suspects the primary
//	tick 50ms             time passes
//	run 50ms              time passes, with stabilize after each heartbeat
//	heartbeat a           the primary's heartbeat is due
//	stabilize             complete all saves and deliver all messages, until none is left
//	handover a b, cancel a, leave a, full a, space a, snapshot a, lapse a
//	slow a                the state machine applies only on command
//	apply a [n]           apply the next n operations, by default all
//	slowreads a           entries are loaded only on command
//	slowchunks a          chunks of snapshots are read only on command
//	loaded a              complete the pending reads
//	rot a                 a's snapshot can no longer be read
//	install a b           a has received b's snapshot
//	status, log a, sessions a   show
//	configure a qr=3      another configuration for one member, before it starts
//	copy a, putback a     copy a member's disk, and put the copy back
//	losetail a 2          the disk of a stopped member loses the last entries of its log
//	remembers a           what a member knows of acknowledgements, and which members have lost their memory
//	quietly …; …          several commands, without output
type script struct {
	g     *testGroup
	lines []string
	watch func(*host, *sent) // passed to the group; may be nil
}

// run runs a block of commands and returns what happened.
func (s *script) run(t *testing.T, block string) string {
	s.lines = nil
	for line := range strings.Lines(block) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		err := s.commands(line)
		if err == nil && s.g != nil {
			err = s.g.broken
		}
		if *rewrite && err != nil {
			s.tell(fmt.Sprintf("error: %s: %v", line, err)) // shown in the transcript; without -rewrite the comparison fails
			continue
		}
		require.NoError(t, err, "%s\nin:\n%s", line, strings.Join(s.lines, "\n"))
	}
	if len(s.lines) == 0 {
		return "ok\n"
	}
	return strings.Join(s.lines, "\n") + "\n"
}

func (s *script) tell(line string) { s.lines = append(s.lines, line) }

// commands runs the commands of a line, which are separated by semicolons.
func (s *script) commands(line string) error {
	line, quiet := strings.CutPrefix(line, "quietly ")
	if quiet && s.g != nil {
		s.g.onto = nil
		defer func() { s.g.onto = s.tell }()
	}
	for command := range strings.SplitSeq(line, ";") {
		if err := s.command(strings.Fields(command)); err != nil {
			return err
		}
	}
	return nil
}

func (s *script) command(words []string) error {
	name, args := words[0], words[1:]
	switch name {
	case "new", "group":
		return s.create(name == "group", args)
	case "deliver", "drop", "duplicate", "estrange", "hold", "lose":
		return s.onMessages(name, args)
	case "tick":
		d, err := time.ParseDuration(strings.Join(args, ""))
		s.g.tick(d)
		return err
	case "run":
		d, err := time.ParseDuration(strings.Join(args, ""))
		for ; d > 0; d -= s.g.config.Heartbeat {
			s.g.tick(s.g.config.Heartbeat)
			s.g.stabilize()
		}
		return err
	case "stabilize":
		s.g.stabilize()
		return nil
	case "status":
		s.status()
		return nil
	case "cut":
		for _, id := range args {
			h, err := s.g.host(id)
			if err != nil {
				return err
			}
			s.g.cut[h.index] = true
		}
		return nil
	case "join":
		clear(s.g.cut)
		return nil
	case "heal":
		clear(s.g.cut)
		s.g.held, s.g.lost = nil, nil
		return nil
	}
	return s.onHosts(name, args)
}

// create makes the members; with form it also forms the group.
func (s *script) create(form bool, args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	s.g = newTestGroup(n)
	s.g.watch = s.watch
	if err := s.options(&s.g.config, args[1:]); err != nil {
		return err
	}
	if form {
		s.g.form()
	}
	s.g.onto = s.tell
	return nil
}

func (s *script) options(c *Config, args []string) error {
	for _, arg := range args {
		name, text, _ := strings.Cut(arg, "=")
		value, _ := strconv.Atoi(text)
		switch name {
		case "qr":
			c.Members.Qr = value
		case "qv":
			c.Members.Qv = value
		case "window":
			c.Window = int64(value)
		case "tail":
			c.Tail = int64(value)
		case "keep":
			c.KeepLog = int64(value)
		case "fast":
			s.g.fast = true
		default:
			return fmt.Errorf("no option %q", arg)
		}
	}
	return nil
}

// onMessages returns a command that acts on the messages in transit on a link, optionally of one
// kind.
func (s *script) onMessages(name string, args []string) error {
	on := s.pattern(args)
	switch name {
	case "hold":
		s.g.held = append(s.g.held, on)
		return nil
	case "lose":
		s.g.lost = append(s.g.lost, on)
		return nil
	}
	matched := 0
	for _, m := range slices.Clone(s.g.transit) {
		if !on(m) || len(args) == 0 && matches(s.g.held, m) {
			continue
		}
		matched++
		switch name {
		case "deliver":
			s.g.deliver(m)
		case "drop":
			s.g.drop(m)
		case "duplicate":
			s.g.receive(m)
		case "estrange":
			m.header.Incarnation[0] ^= 0xff
		}
	}
	if matched == 0 && len(args) > 0 {
		return fmt.Errorf("no such message in transit")
	}
	return nil
}

// pattern parses a link and the beginning of a message. Either may be omitted, and a star stands
// for any member.
func (s *script) pattern(args []string) pattern {
	from, to, what := "*", "*", ""
	if len(args) > 0 {
		from, to, _ = strings.Cut(args[0], "→")
		what = strings.Join(args[1:], " ")
	}
	is := func(id string, i Index) bool { return id == "*" || s.g.hosts[i].id == id }
	return func(m *sent) bool {
		return is(from, m.from) && is(to, m.to) && strings.HasPrefix(messageText(m.message)+" ", what)
	}
}

// onHosts returns a command that acts on each named member.
func (s *script) onHosts(name string, args []string) error {
	if f, ok := atEach[name]; ok {
		for _, id := range args {
			h, err := s.g.host(id)
			if err != nil {
				return err
			}
			f(s, h)
		}
		return nil
	}
	f, ok := atOne[name]
	if !ok || len(args) == 0 {
		return fmt.Errorf("no command %q", name)
	}
	h, err := s.g.host(args[0])
	if err != nil {
		return err
	}
	return f(s, h, args[1:])
}

// atEach holds the commands for any number of members.
var atEach = map[string]func(*script, *host){
	"start":      func(s *script, h *host) { s.g.start(h) },
	"restart":    func(s *script, h *host) { s.g.start(h) },
	"pause":      func(_ *script, h *host) { h.paused = true },
	"hang":       func(_ *script, h *host) { h.hung = true },
	"unhang":     func(_ *script, h *host) { h.hung = false },
	"rot":        func(_ *script, h *host) { h.rotten = true },
	"slow":       func(_ *script, h *host) { h.slow = true },
	"slowchunks": func(_ *script, h *host) { h.slowChunks = true },
	"slowreads":  func(_ *script, h *host) { h.slowReads = true },
	"loaded":     func(s *script, h *host) { s.g.loaded(h) },
	"suspect":    func(s *script, h *host) { s.g.suspect(h) },
	"heartbeat":  func(s *script, h *host) { s.g.heartbeat(h) },
	"resume": func(s *script, h *host) {
		h.paused = false
		h.core.Step(s.g.now, &Tick{})
		s.g.turn(h)
	},
	"wipe": func(_ *script, h *host) { h.disk = disk{starts: h.disk.starts} },
	"copy": func(_ *script, h *host) { h.copied = h.disk },
	"putback": func(_ *script, h *host) {
		starts := h.disk.starts
		h.disk, h.disk.starts, h.forgot = h.copied, starts, true
	},
	// turnback is putback, and the next process draws the random numbers that another has drawn before.
	"turnback": func(s *script, h *host) {
		starts := h.disk.starts
		h.disk, h.disk.starts, h.forgot, h.seed = h.copied, starts, true, h.copied.starts
	},
	"remembers": func(s *script, h *host) {
		for i, a := range h.core.memories.acknowledged {
			lost := map[bool]string{true: ", lost"}[h.core.memories.lost[i]]
			if a.Last.Op > 0 {
				s.g.tell("%s  remembers %s of %s, start %d%s", h.id, stampText(a.Last), s.g.hosts[i].id, a.Start>>32, lost)
			}
		}
	},
	"leave": func(s *script, h *host) {
		h.core.Step(s.g.now, &Leave{})
		s.g.turn(h)
	},
	"cancel": func(s *script, h *host) {
		h.core.Step(s.g.now, &CancelHandover{})
		s.g.turn(h)
	},
	"full": func(s *script, h *host) {
		s.g.fill(h, true)
	},
	"short": func(s *script, h *host) { // of descriptors; space ends it
		h.full = true
		h.core.Step(s.g.now, &DiskFull{Full: true, Short: "open log/1.new: too many open files"})
		s.g.turn(h)
	},
	"space": func(s *script, h *host) {
		s.g.fill(h, false)
	},
	"read": func(s *script, h *host) {
		s.g.history.readAsked(h, beginRead(h.core, s.g.now))
		s.g.turn(h)
	},
	"sessions": func(s *script, h *host) {
		for _, x := range h.machine.sessions.rows {
			var kept []string
			for i, r := range x.results {
				if r.known != Nothing {
					kept = append(kept, fmt.Sprint(x.floor+uint64(i)))
				}
			}
			s.g.tell("%s  session %d of %s, floor %d, results of %v", h.id, x.number, x.id, x.floor, kept)
		}
	},
	"log": func(s *script, h *host) {
		l := &h.core.log
		var parts []string
		for e := range l.tail.all() {
			parts = append(parts, entryText(e))
		}
		s.g.tell("%s  after %s: %s", h.id, stampText(l.base), strings.Join(parts, ", "))
	},
}

// atOne holds the commands for one member, with arguments.
var atOne = map[string]func(*script, *host, []string) error{
	"crash": func(s *script, h *host, args []string) error {
		keep := 0
		if len(args) > 0 {
			n, err := strconv.Atoi(strings.TrimPrefix(args[0], "keep="))
			if err != nil {
				return err
			}
			keep = n
		}
		s.g.crash(h, keep)
		return nil
	},
	"saved": func(s *script, h *host, args []string) error {
		n := len(h.unsaved)
		if len(args) > 0 {
			n, _ = strconv.Atoi(args[0])
		}
		if n == 0 || n > len(h.unsaved) {
			return fmt.Errorf("%d saves are out", len(h.unsaved))
		}
		s.g.saved(h, n)
		return nil
	},
	"apply": func(s *script, h *host, args []string) error {
		n := len(h.unapplied)
		if len(args) > 0 {
			n, _ = strconv.Atoi(args[0])
		}
		if n == 0 || n > len(h.unapplied) {
			return fmt.Errorf("%d operations were handed out", len(h.unapplied))
		}
		s.g.applyFirst(h, n)
		return nil
	},
	"losetail": func(_ *script, h *host, args []string) error {
		n, err := strconv.Atoi(args[0])
		if err != nil || h.core != nil || n > len(h.disk.entries) {
			return fmt.Errorf("%v: the log has %d entries", args, len(h.disk.entries))
		}
		h.disk.entries, h.forgot = h.disk.entries[:len(h.disk.entries)-n:len(h.disk.entries)-n], true
		return nil
	},
	"propose": func(s *script, h *host, args []string) error {
		for _, body := range args {
			if !s.g.propose(h, body) {
				s.g.tell("%s  refuses %s", h.id, body)
			}
		}
		s.g.turn(h)
		return nil
	},
	"request": func(s *script, h *host, args []string) error {
		for _, body := range args {
			number, err := proposeTo(h.core, s.g.now, []byte(body))
			if err != nil {
				s.g.tell("%s  refuses %s: %v", h.id, body, err)
				continue
			}
			s.g.tell("%s  request %d is %s", h.id, number, body)
		}
		s.g.turn(h)
		return nil
	},
	"forge": func(s *script, h *host, args []string) error {
		session, err := strconv.ParseUint(args[0], 10, 64)
		p := Proposal{Session: session, Request: 1, Floor: 1, Kind: Command, Body: []byte(args[1])}
		if args[0] == "new" {
			p, err = Proposal{Kind: OpenSession, Body: []byte(args[1])}, nil
		}
		h.core.forward([]Proposal{p})
		s.g.turn(h)
		return err
	},
	"carried": func(s *script, h *host, args []string) error {
		to, err := s.g.host(args[0])
		if err == nil {
			h.core.Step(s.g.now, &Carried{To: to.index})
			s.g.turn(h)
		}
		return err
	},
	"part": func(s *script, h *host, args []string) error {
		to, err := s.g.host(args[0])
		if err == nil {
			s.g.send(h, Outgoing{To: []Index{to.index}, Message: &Part{Stream: 1, Data: []byte("part")}})
		}
		return err
	},
	"forget": func(s *script, h *host, args []string) error {
		number, err := strconv.Atoi(args[0])
		s.g.tell("%s  request %d was sent: %v", h.id, number, h.core.Sent(uint64(number)))
		h.core.Step(s.g.now, &Forget{Request: uint64(number)})
		return err
	},
	"handover": func(s *script, h *host, args []string) error {
		to := Index(-1)
		if len(args) > 0 {
			other, err := s.g.host(args[0])
			if err != nil {
				return err
			}
			to = other.index
		}
		handover := &Handover{To: to}
		if h.core.Step(s.g.now, handover); !handover.Begun {
			s.tell(h.id + "  does not hand over")
		}
		s.g.turn(h)
		return nil
	},
	"configure": func(s *script, h *host, args []string) error {
		c := s.g.config
		h.config = &c
		return s.options(h.config, args)
	},
	"install": func(s *script, h *host, args []string) error {
		from, err := s.g.host(args[0])
		if err != nil || from.disk.snapshot == nil {
			return fmt.Errorf("%v: no snapshot", args)
		}
		h.disk.keepSnapshot(*from.disk.snapshot, from.disk.machine)
		h.core.Step(s.g.now, &SnapshotReceived{Snapshot: *from.disk.snapshot, Clock: from.disk.machine.clock})
		s.g.turn(h)
		return nil
	},
	"snapshot": func(s *script, h *host, _ []string) error { return s.g.takeSnapshot(h) },
}

// status shows the state of every member.
func (s *script) status() {
	for _, h := range s.g.hosts {
		if h.core == nil {
			s.g.tell("%s  down, durable view %d, log %s", h.id, h.disk.head.View, stampText(h.disk.end()))
			continue
		}
		st := h.core.State()
		s.g.tell("%s  %s, log %d..%s, commit %d, applied %d", h.id, stateText(h.core), st.First, stampText(st.Last), st.Commit, st.Applied)
		if st.Problem != "" {
			s.g.tell("   problem: %s", timeless(st.Problem))
		}
	}
	if n := len(s.g.transit); n > 0 {
		kinds := map[string]int{}
		for _, m := range s.g.transit {
			kinds[KindOf(m.message).String()]++
		}
		for _, kind := range slices.Sorted(maps.Keys(kinds)) {
			s.g.tell("   in transit: %d %s", kinds[kind], kind)
		}
	}
}
