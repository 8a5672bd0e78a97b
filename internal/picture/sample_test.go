package picture

import (
	"fmt"
	"math/rand/v2"
	"time"
)

const ms = time.Millisecond

// sample makes up a run of three replicas and three clients that looks like a real one: a partition
// and a view change, a slow disk, a crash, a pause, lost messages, and a violation at the end.
type sample struct {
	Run
	rng     *rand.Rand
	now     time.Duration
	view    uint64
	op      [3]int
	commit  [3]int
	deaf    [3]bool // cut off from the others, in both directions
	down    [3]bool
	slow    time.Duration // of the primary's disk
	free    [3]time.Duration
	primary int
}

// sampleRun returns such a run, of at least so many messages.
func sampleRun(count int) *Run {
	s := &sample{rng: rand.New(rand.NewPCG(1, 2)), primary: 0, view: 1, Run: Run{
		Title:   "seed 4711: three replicas, three clients",
		Failure: "11.2: op 214 is committed as 214@1.3 and as 214@1.4\nreplica b, at 61.204177 s; the last commit that all agree on is 213@1.3",
		Command: "go test ./internal/sim -run TestSeeds -sim.seed=4711 -sim.schedule=testdata/4711.txt",
		Schedule: []string{"at 3.2s  isolate a for 4s", "at 9.1s  slow disk a 40ms for 2s", "at 12s   crash c (power)", "at 13.5s start c",
			"after DoViewChange from c: pause b 900ms"},
		History: "4711 history.html",
	}}
	for _, name := range []string{"a", "b", "c"} {
		s.Lanes = append(s.Lanes, Lane{Name: name})
	}
	for _, name := range []string{"client a.1", "client b.1", "client c.1"} {
		s.Lanes = append(s.Lanes, Lane{Name: name, Client: true})
	}
	s.play(count)
	return &s.Run
}

func (s *sample) play(count int) {
	s.form()
	for round := 0; ; round++ {
		s.work(s.now + 2*time.Second)
		s.partition()
		s.work(s.now + 2*time.Second)
		s.slowDisk()
		s.crash((s.primary + 2) % 3)
		if len(s.Messages) >= count {
			break
		}
	}
	s.work(s.now + 500*ms)
	s.now += 9 * ms
	s.Marks = append(s.Marks, Mark{Lane: (s.primary + 1) % 3, At: s.now, Kind: Violation, Text: "11.2: op 214 is committed as 214@1.3 and as 214@1.4"})
	s.send((s.primary+1)%3, s.primary, s.now, "PrepareOK", "view=4 op=214")
	s.Messages[len(s.Messages)-1].Fate = UnderWay
	s.End = s.now + 5*ms
	s.closeSpans()
}

func (s *sample) form() {
	for i := range 3 {
		s.Spans = append(s.Spans, Span{Lane: i, From: 0, To: 42 * ms, Kind: Forming})
		s.state(i, 0, "forming")
	}
	s.send(0, 1, 3*ms, "Question", "start=1")
	s.send(0, 2, 3*ms, "Question", "start=1")
	s.send(1, 0, 5*ms, "Answer", "empty, start=1")
	s.send(2, 0, 6*ms, "Answer", "empty, start=1")
	s.now = 42 * ms
	s.roles()
}

// roles begins a span for each replica that is up.
func (s *sample) roles() {
	for i := range 3 {
		if s.down[i] {
			continue
		}
		s.end(i, s.now)
		kind := Backup
		if i == s.primary {
			kind = Primary
		}
		s.Spans = append(s.Spans, Span{Lane: i, From: s.now, To: -1, Kind: kind, View: s.view})
		s.state(i, s.now, fmt.Sprintf("phase=%s view=%d op=%d commit=%d", kind, s.view, s.op[i], s.commit[i]))
	}
}

// end ends what a replica is in the protocol.
func (s *sample) end(lane int, at time.Duration) {
	for i := range s.Spans {
		if sp := &s.Spans[i]; sp.Lane == lane && sp.To < 0 && sp.Kind != Down {
			sp.To = at
		}
	}
}

func (s *sample) closeSpans() {
	for i := range s.Spans {
		if s.Spans[i].To < 0 {
			s.Spans[i].To = s.End
		}
	}
}

func (s *sample) state(lane int, at time.Duration, text string) {
	s.States = append(s.States, State{lane, at, text})
}

// send returns when the message arrives; 0 if it does not.
func (s *sample) send(from, to int, at time.Duration, kind, text string) time.Duration {
	m := Message{From: from, To: to, Sent: at, Arrived: at + 400*time.Microsecond + time.Duration(s.rng.ExpFloat64()*3e5), Kind: kind, Text: text}
	switch {
	case s.deaf[from] || s.deaf[to]:
		m.Fate = CutOff
		if s.rng.IntN(2) == 0 {
			m.Arrived = 0
		}
	case s.down[to]:
		m.Fate = Refused
	case s.rng.IntN(60) == 0:
		m.Fate, m.Arrived = Lost, 0
	}
	s.Messages = append(s.Messages, m)
	if m.Fate != Arrived {
		return 0
	}
	return m.Arrived
}

// work has clients call, and the primary's heart beat, until a time.
func (s *sample) work(until time.Duration) {
	beat := s.now
	for s.now < until {
		next := s.now + time.Duration(s.rng.ExpFloat64()*float64(70*ms))
		for ; beat < next && beat < until; beat += 50 * ms {
			s.heartbeat(beat)
		}
		s.now = min(next, until)
		s.call(s.rng.IntN(3))
	}
}

func (s *sample) heartbeat(at time.Duration) {
	for i := range 3 {
		if i == s.primary {
			continue
		}
		if t := s.send(s.primary, i, at, "Commit", fmt.Sprintf("view=%d commit=%d round=%d", s.view, s.commit[s.primary], at/(50*ms))); t > 0 {
			s.send(i, s.primary, t+20*time.Microsecond, "CommitOK", fmt.Sprintf("view=%d round=%d", s.view, at/(50*ms)))
		}
	}
}

// call has a client propose an operation, or read, at its replica.
func (s *sample) call(who int) {
	at, client := s.now, 3+who
	if s.down[who] || s.free[who] > at {
		return
	}
	key := s.rng.IntN(9)
	if s.rng.IntN(4) == 0 {
		done := s.read(at)
		s.Spans = append(s.Spans, Span{Lane: client, From: at, To: done, Kind: Answered, Text: fmt.Sprintf("get k%d = %d", key, s.commit[s.primary])})
		s.free[who] = done
		return
	}
	text, begin := fmt.Sprintf("append k%d #%d", key, len(s.Messages)), at
	if who != s.primary {
		if at = s.send(who, s.primary, at, "Request", fmt.Sprintf("view=%d attempt=1 1 requests", s.view)); at == 0 {
			s.free[who] = begin + 800*ms
			s.Spans = append(s.Spans, Span{Lane: client, From: begin, To: s.free[who], Kind: Unknown, Text: text})
			return
		}
	}
	done, ok := s.replicate(at)
	if ok && who != s.primary {
		if done = s.send(s.primary, who, done, "Reply", fmt.Sprintf("op=%d <b>&\"</script>", s.op[s.primary])); done == 0 {
			ok, done = false, at+700*ms
		}
	}
	kind := Answered
	if !ok {
		kind, done = Unknown, at+700*ms
	}
	s.Spans = append(s.Spans, Span{Lane: client, From: begin, To: done, Kind: kind, Text: text})
	s.free[who] = done
}

func (s *sample) read(at time.Duration) time.Duration {
	done := at + 900*time.Microsecond
	for i := range 3 {
		if i == s.primary {
			continue
		}
		if t := s.send(s.primary, i, at, "ReadRound", fmt.Sprintf("view=%d round=%d", s.view, at/ms)); t > 0 {
			done = max(done, s.send(i, s.primary, t+20*time.Microsecond, "ReadRoundOK", fmt.Sprintf("view=%d round=%d", s.view, at/ms)))
		}
	}
	return done
}

func (s *sample) replicate(at time.Duration) (time.Duration, bool) {
	p := s.primary
	s.op[p]++
	op := s.op[p]
	saved := at + ms/2 + s.slow + time.Duration(s.rng.ExpFloat64()*2e5)
	s.Marks = append(s.Marks, Mark{p, saved, Saved, fmt.Sprintf("#%d view=%d [%d@1.%d]", op, s.view, op, s.view)})
	committed := time.Duration(0)
	for i := range 3 {
		if i == p {
			continue
		}
		t := s.send(p, i, at, "Prepare", fmt.Sprintf("view=%d after=%d@1.%d [%d@1.%d..%d@1.%d] commit=%d", s.view, op-1, s.view, op, s.view, op, s.view, s.commit[p]))
		if t == 0 {
			continue
		}
		s.op[i], s.commit[i] = op, s.commit[p]
		t += ms/2 + time.Duration(s.rng.ExpFloat64()*2e5)
		s.Marks = append(s.Marks, Mark{i, t, Saved, fmt.Sprintf("#%d view=%d [%d@1.%d]", op, s.view, op, s.view)})
		s.state(i, t, fmt.Sprintf("phase=backup view=%d op=%d commit=%d saved=%d", s.view, op, s.commit[i], op))
		if t = s.send(i, p, t, "PrepareOK", fmt.Sprintf("view=%d op=%d", s.view, op)); t > 0 && (committed == 0 || t < committed) {
			committed = t
		}
	}
	if committed == 0 {
		return 0, false
	}
	committed = max(committed, saved)
	s.commit[p] = op
	s.Marks = append(s.Marks, Mark{p, committed, Commit, fmt.Sprintf("%d@1.%d", op, s.view)})
	s.state(p, committed, fmt.Sprintf("phase=primary view=%d op=%d commit=%d saved=%d", s.view, op, op, op))
	return committed, true
}

// partition cuts the primary off for a while, and has the others change the view.
func (s *sample) partition() {
	old, from := s.primary, s.now
	s.fault(Everyone, fmt.Sprintf("isolate %s for 4s", s.Lanes[old].Name))
	s.deaf[old] = true
	s.work(s.now + 600*ms)
	next := (old + 1) % 3
	s.viewChange(old, next)
	s.work(s.now + 2*time.Second)
	s.deaf[old] = false
	for i := range 3 {
		if i != old {
			s.Cuts = append(s.Cuts, Cut{old, i, from, s.now}, Cut{i, old, from, s.now})
		}
	}
	s.send(next, old, s.now, "NewState", fmt.Sprintf("view=%d best=%d after=%d [%d..%d]", s.view, s.op[next], s.op[old], s.op[old]+1, s.op[next]))
	s.op[old] = s.op[next]
	s.now += 3 * ms
	s.roles()
}

func (s *sample) viewChange(old, next int) {
	s.view++
	begin, end := s.now, s.now+7*ms
	for i := range 3 {
		if i == old || s.down[i] {
			continue
		}
		s.end(i, begin)
		s.Spans = append(s.Spans, Span{Lane: i, From: begin, To: end, Kind: ViewChange, View: s.view})
		for j := range 3 {
			if j != i {
				s.send(i, j, begin+time.Duration(i)*ms/3, "StartViewChange", fmt.Sprintf("view=%d", s.view))
			}
		}
		if i != next {
			s.send(i, next, begin+3*ms, "DoViewChange", fmt.Sprintf("view=%d last=%d@1.%d commit=%d", s.view, s.op[i], s.view-1, s.commit[i]))
		}
	}
	s.primary, s.now = next, end
	held := s.down[old]
	s.down[old] = true // its roles go on: it has not heard of it
	s.roles()
	s.down[old] = held
}

func (s *sample) slowDisk() {
	s.fault(s.primary, "slow disk: 40ms")
	s.slow = 40 * ms
	s.Spans = append(s.Spans, Span{Lane: s.primary, From: s.now, To: s.now + 2*time.Second, Kind: DiskSlow, Text: "40ms"})
	s.work(s.now + 2*time.Second)
	s.slow = 0
	s.fault(s.primary, "pause 300ms")
	s.Spans = append(s.Spans, Span{Lane: s.primary, From: s.now, To: s.now + 300*ms, Kind: Paused})
	s.now += 300 * ms
}

func (s *sample) crash(who int) {
	s.fault(who, "power loss")
	s.end(who, s.now)
	s.down[who] = true
	s.Spans = append(s.Spans, Span{Lane: who, From: s.now, To: s.now + 1500*ms, Kind: Down, Text: "power loss"})
	s.state(who, s.now, "down")
	s.work(s.now + 1500*ms)
	s.down[who] = false
	s.fault(who, "start")
	s.Spans = append(s.Spans, Span{Lane: who, From: s.now, To: s.now + 12*ms, Kind: Recovering, View: s.view})
	for i := range 3 {
		if i != who {
			s.send(who, i, s.now, "Question", "start=2")
			s.send(i, who, s.now+ms, "Answer", fmt.Sprintf("view=%d", s.view))
		}
	}
	s.now += 12 * ms
	s.Marks = append(s.Marks, Mark{who, s.now, Restored, fmt.Sprintf("snapshot %d", s.op[s.primary])})
	s.op[who] = s.op[s.primary]
	s.roles()
}

func (s *sample) fault(lane int, text string) {
	s.Marks = append(s.Marks, Mark{lane, s.now, Fault, text})
}
