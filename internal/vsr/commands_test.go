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
//	start a b             start, with what the disk holds
//	propose a x=1 y=2     operations without a session, put into the primary's log in one turn
//	request c x=1         a proposal of a caller at c, with sessions
//	read b                a linearizable read of a caller at b
//	deliver [a→b [Kind]]  messages in transit, now; all of them that are not held
//	drop, duplicate, hold [a→b [Kind]]
//	saved a [n]           the oldest n saves are durable, all by default
//	crash a [keep=n]      stop; of the saves not reported n were durable all the same
//	wipe a                empty the disk of a stopped member
//	cut a b, heal         the links between those members and the others are down, up again
//	pause a, resume a     the process stands still
//	suspect a b           the detector suspects the primary
//	tick 50ms             time passes
//	heartbeat a           the primary's heartbeat is due
//	stabilize             all saves and messages, until it is quiet
//	handover a b, cancel a, leave a, full a, space a, snapshot a, lapse a
//	status, log a         show
//	quietly …             the same, without telling
type script struct {
	g     *testGroup
	lines []string
}

// run runs a block of commands and returns what happened.
func (s *script) run(t *testing.T, block string) string {
	s.lines = nil
	for line := range strings.Lines(block) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		err := s.command(strings.Fields(line))
		if err == nil && s.g != nil {
			err = s.g.broken
		}
		if *rewrite && err != nil {
			s.tell(fmt.Sprintf("error: %s: %v", line, err)) // to be seen; without -rewrite it fails
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

func (s *script) command(words []string) error {
	name, args := words[0], words[1:]
	switch name {
	case "new", "group":
		return s.create(name == "group", args)
	case "quietly":
		s.g.onto = func(string) {}
		defer func() { s.g.onto = s.tell }()
		return s.command(args)
	case "deliver", "drop", "duplicate", "hold":
		return s.onMessages(name, args)
	case "tick":
		d, err := time.ParseDuration(strings.Join(args, ""))
		s.g.tick(d)
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
	case "heal":
		clear(s.g.cut)
		return nil
	}
	return s.onHosts(name, args)
}

// create makes the members, and with form the group.
func (s *script) create(form bool, args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	s.g = newTestGroup(n)
	if err := s.options(args[1:]); err != nil {
		return err
	}
	if form {
		s.g.form()
	}
	s.g.onto = s.tell
	return nil
}

func (s *script) options(args []string) error {
	for _, arg := range args {
		name, text, _ := strings.Cut(arg, "=")
		value, _ := strconv.Atoi(text)
		c := &s.g.config
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

// onMessages does something with the messages in transit on a link, of one kind if it is given.
func (s *script) onMessages(name string, args []string) error {
	from, to, kind := "*", "*", ""
	if len(args) > 0 {
		from, to, _ = strings.Cut(args[0], "→")
	}
	if len(args) > 1 {
		kind = args[1]
	}
	matched := 0
	for _, m := range slices.Clone(s.g.transit) {
		is, _, _ := strings.Cut(messageText(m.message), " ")
		if !link(s.g, from, m.from) || !link(s.g, to, m.to) || kind != "" && kind != is || m.held && len(args) == 0 {
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
		case "hold":
			m.held = true
		}
	}
	if matched == 0 {
		return fmt.Errorf("no such message in transit")
	}
	return nil
}

func link(g *testGroup, id string, i Index) bool { return id == "*" || g.hosts[i].id == id }

// onHosts does something at each of the members named.
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

// atEach are the commands for any number of members.
var atEach = map[string]func(*script, *host){
	"start":     func(s *script, h *host) { s.g.start(h) },
	"restart":   func(s *script, h *host) { s.g.start(h) },
	"pause":     func(_ *script, h *host) { h.paused = true },
	"suspect":   func(s *script, h *host) { s.g.suspect(h) },
	"heartbeat": func(s *script, h *host) { s.g.heartbeat(h) },
	"resume": func(s *script, h *host) {
		h.paused = false
		h.core.Tick(s.g.now)
		s.g.turn(h)
	},
	"wipe": func(s *script, h *host) { h.disk = disk{starts: h.disk.starts} },
	"leave": func(s *script, h *host) {
		h.core.Leave(s.g.now)
		s.g.turn(h)
	},
	"cancel": func(s *script, h *host) {
		h.core.CancelHandover(s.g.now)
		s.g.turn(h)
	},
	"full": func(s *script, h *host) {
		h.core.Full(s.g.now, true)
		s.g.turn(h)
	},
	"space": func(s *script, h *host) {
		h.core.Full(s.g.now, false)
		s.g.turn(h)
	},
	"read": func(s *script, h *host) {
		s.g.history.readAsked(h, h.core.Read(s.g.now))
		s.g.turn(h)
	},
	"log": func(s *script, h *host) {
		l := &h.core.log
		var parts []string
		for i := range l.tail {
			parts = append(parts, entryText(&l.tail[i]))
		}
		s.tell(fmt.Sprintf("%s  after %s: %s", h.id, stampText(l.base), strings.Join(parts, ", ")))
	},
}

// atOne are the commands for one member, with arguments.
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
	"propose": func(s *script, h *host, args []string) error {
		for i, body := range args {
			if !h.core.accepts() || !h.core.room() {
				s.tell(h.id + "  refuses " + body)
			} else if i < len(args)-1 {
				h.core.stampLog(Entry{Kind: Command, Body: []byte(body)})
			} else {
				s.g.propose(h, body)
			}
		}
		return nil
	},
	"request": func(s *script, h *host, args []string) error {
		for _, body := range args {
			number, err := h.core.Propose(s.g.now, []byte(body))
			if err != nil {
				s.tell(fmt.Sprintf("%s  refuses %s: %v", h.id, body, err))
				continue
			}
			s.tell(fmt.Sprintf("%s  request %d is %s", h.id, number, body))
		}
		s.g.turn(h)
		return nil
	},
	"forget": func(s *script, h *host, args []string) error {
		number, err := strconv.Atoi(args[0])
		s.tell(fmt.Sprintf("%s  request %d was sent: %v", h.id, number, h.core.Sent(uint64(number))))
		h.core.Forget(uint64(number))
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
		if !h.core.Handover(s.g.now, to) {
			s.tell(h.id + "  does not hand over")
		}
		s.g.turn(h)
		return nil
	},
	"snapshot": func(s *script, h *host, _ []string) error { return s.g.takeSnapshot(h) },
}

// status tells what every member is and holds.
func (s *script) status() {
	for _, h := range s.g.hosts {
		if h.core == nil {
			s.tell(fmt.Sprintf("%s  down, durable view %d, log %s", h.id, h.disk.head.View, stampText(h.disk.end())))
			continue
		}
		st := h.core.State()
		s.tell(fmt.Sprintf("%s  %s, log %d..%s, commit %d, applied %d", h.id, stateText(h.core), st.First, stampText(st.Last), st.Commit, st.Applied))
	}
	if n := len(s.g.transit); n > 0 {
		kinds := map[string]int{}
		for _, m := range s.g.transit {
			kind, _, _ := strings.Cut(messageText(m.message), " ")
			kinds[kind]++
		}
		for _, kind := range slices.Sorted(maps.Keys(kinds)) {
			s.tell(fmt.Sprintf("   in transit: %d %s", kinds[kind], kind))
		}
	}
}
