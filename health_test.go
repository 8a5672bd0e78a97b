package smr

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/vfs"
)

// healthy waits until every running replica is ready, bears as many failures, and has no problem.
func (g *group) healthy(tolerance int) {
	g.t.Helper()
	g.wait("all are healthy", func() bool {
		for _, id := range g.ids() {
			if h := g.replica(id).Health(); !h.Ready || h.Tolerance != tolerance || h.Problem != "" {
				return false
			}
		}
		return true
	})
}

// problem waits until the Status of a replica reports a problem with that text.
func (g *group) problem(at ID, text string) {
	g.t.Helper()
	g.wait(string(at)+" reports "+text, func() bool { return strings.Contains(g.replica(at).Status().Problem, text) })
}

// A healthy group reports no problem, whatever its size, and how many failures it can bear.
func TestHealthOfGroups(t *testing.T) {
	for n, tolerance := range []int{1: 0, 2: 0, 3: 1, 4: 1, 5: 2, 7: 3} {
		if n == 0 || n == 6 {
			continue
		}
		scenario(t, n, func(g *group) {
			g.start()
			g.propose("a", "x")
			g.healthy(tolerance)
			for range 1000 { // also while nothing happens
				time.Sleep(10 * time.Millisecond)
				g.healthy(tolerance)
			}
		})
	}
}

// logTo has a member write its log, from Info up, to lines.
func logTo(lines *strings.Builder, id ID) func(*Config) {
	return func(c *Config) {
		if c.ID == id {
			c.Logger = hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: lines})
		}
	}
}

// One of three members dies. The others serve, and report who is missing and that no other may fail, until it is back.
// Each writes one warning and one line when it is over.
func TestOneOfThreeDies(t *testing.T) {
	var lines strings.Builder
	scenarioWith(t, 3, logTo(&lines, "a"), func(g *group) {
		g.start()
		g.propose("a", "x")
		g.healthy(1)
		g.crash("c")
		for _, id := range g.ids() {
			g.problem(id, "c has not been heard since ")
			g.problem(id, "no further failure can be tolerated")
		}
		time.Sleep(time.Minute)
		g.propose("b", "without c")
		h := g.replica("b").Health()
		assert.True(t, h.Ready)
		assert.Zero(t, h.Tolerance)
		assert.False(t, h.Members[2].Sends || h.Members[2].Receives, "%+v", h)
		assert.Greater(t, time.Since(h.Members[2].Heard), time.Minute)
		g.start("c")
		g.healthy(1)
		g.close("a")
		assert.Equal(t, 1, strings.Count(lines.String(), "[WARN]"), "%s", &lines)
		assert.Equal(t, 1, strings.Count(lines.String(), "the problem is over"), "%s", &lines)
	})
}

// crashAllButOne starts a group and, once it is healthy, crashes all members but a backup.
func (g *group) crashAllButOne() (last ID, others []ID) {
	g.start()
	g.propose("a", "x")
	g.healthy(1)
	last = g.backup()
	others = g.others(last)
	g.crash(others...)
	return last, others
}

// The primary and another backup die together. What the primary last reported does not count any more: the third member
// reports that neither is heard, and that it knows of no failure that can be borne.
func TestHealthOfTheLastMember(t *testing.T) {
	scenario(t, 3, func(g *group) {
		last, others := g.crashAllButOne()
		g.problem(last, "no quorum since ")
		h := g.replica(last).Health()
		assert.Zero(t, h.Tolerance)
		for _, m := range h.Members {
			if m.ID != last {
				assert.False(t, m.Sends || m.Receives, "%+v", m)
				assert.Contains(t, m.Problem, string(m.ID)+" has not been heard since ")
			}
		}
		g.start(others...)
		g.healthy(1)
	})
}

// A member that has lost its memory, while another is down: the third one, which lacks a quorum, names the lost memory
// rather than the connection, and the member itself reports it.
func TestHealthBesideALostMemory(t *testing.T) {
	scenario(t, 3, func(g *group) {
		last, others := g.crashAllButOne()
		g.disks[others[0]] = vfs.NewMem()
		g.start(others[0])
		g.problem(last, "no quorum since ")
		g.problem(last, "; no messages from "+string(others[1])+"; "+string(others[0])+" has taken no part since ")
		g.problem(others[0], "lost")
		for _, m := range g.replica(others[0]).Health().Members {
			assert.Equal(t, m.ID == others[0], strings.Contains(m.Problem, "lost"), "%+v", m)
		}
	})
}

// Calls fail at a backup whose messages do not reach anybody, although it hears the primary. It reports that, and the
// errors of calls give the reason.
func TestHealthOfABackupThatIsNotHeard(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start()
		g.propose("a", "x")
		g.healthy(1)
		p, b := g.primary(), g.backup()
		for _, id := range g.others(b) {
			g.wires.cutLinks(link{b, id})
		}
		g.problem(b, "has received no message from this replica since ")
		h := g.replica(b).Health()
		assert.False(t, h.Ready)
		for i, m := range h.Members {
			if m.ID == p {
				assert.True(t, m.Sends && !m.Receives, "%+v", h.Members[i])
			}
		}
		_, err := g.replica(b).Propose(g.in(time.Second), []byte("y"))
		require.ErrorContains(t, err, "has received no message from this replica")
		require.ErrorContains(t, g.replica(b).Read(g.in(time.Second), Linearizable, func() {}), "has received no message from this replica")
		g.problem(p, string(b)+" has not been heard since ")
		g.wires.heal()
		g.healthy(1)
	})
}

// A first start with two of three members: both report who is missing.
func TestHealthBeforeTheGroupForms(t *testing.T) {
	scenario(t, 3, func(g *group) {
		g.start("a", "b")
		for _, id := range g.ids() {
			g.problem(id, "the group has not formed")
			g.problem(id, "nothing was heard of c")
			_, err := g.replica(id).Propose(g.in(time.Second), []byte("y"))
			require.ErrorContains(t, err, "nothing was heard of c")
		}
		g.start("c")
		g.healthy(1)
	})
}

// D3. The primary's state machine hangs, in Apply or because a function given to Read does not return. Another member
// takes over, and only the replica that hangs reports a problem.
func TestHungStateMachine(t *testing.T) {
	for name, hang := range map[string]func(g *group, p ID, release chan struct{}){
		"Apply": func(g *group, p ID, release chan struct{}) {
			g.spoil(p, func(s *recorder) { s.before = func(Op) { <-release } })
		},
		"Read": func(g *group, p ID, release chan struct{}) {
			go g.replica(p).Read(g.t.Context(), Local, func() { <-release })
			time.Sleep(time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			scenario(t, 3, func(g *group) {
				g.start()
				g.propose("a", "x")
				g.healthy(1)
				p, b := g.primary(), g.backup()
				release := make(chan struct{})
				hang(g, p, release)
				g.propose(b, "y")
				g.problem(p, " has not been applied since ")
				g.wait("another leads", func() bool { return g.replica(b).Status().Primary != p })
				g.wait("only the replica that hangs has a problem", func() bool { return g.replica(b).Status().Problem == "" })
				g.propose(b, "z")
				require.False(t, g.replica(p).Health().Ready)
				close(release)
				g.healthy(1)
			})
		})
	}
}

// A transport that does not return hangs the loop. Health and Status do not block, and report that.
func TestHealthWhileTheLoopHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held, release := make(chan struct{}), make(chan struct{})
		r, err := start(Config{ID: "a", Members: []Member{{ID: "a"}}, StateMachine: newRecorder(), Volatile: true}, vfs.NewMem(), nil)
		require.NoError(t, err)
		_, err = r.Propose(t.Context(), []byte("x"))
		require.NoError(t, err)
		time.Sleep(time.Second)
		require.True(t, r.Health().Ready && r.Health().Live)
		r.do(func(*shell.Loop) { close(held); <-release })
		<-held
		time.Sleep(2 * time.Second)
		h := r.Health()
		assert.False(t, h.Ready || h.Live)
		assert.Contains(t, h.Problem, "the protocol loop has not run since ")
		assert.Equal(t, h.Problem, r.Status().Problem)
		close(release)
		time.Sleep(time.Second)
		require.True(t, r.Health().Ready)
		require.NoError(t, r.Close())
		require.False(t, r.Health().Ready)
	})
}

// A problem is logged when it begins, when another has taken its place for a second, and when none is left, for a second
// or at a replica that is ready; not if only a number or a time in its text changes, or for what it becomes in a moment.
// The line at its end repeats the text of the latest warning, and how long ago that was logged.
func TestTroubleIsLoggedOnce(t *testing.T) {
	var lines strings.Builder
	log := hclog.New(&hclog.LoggerOptions{Output: &lines, DisableTime: true})
	var x trouble
	ready := false
	const moment = 100 * time.Millisecond
	at := time.Unix(0, 0)
	show := func(problem string, lasts time.Duration) {
		for end := at.Add(lasts); at.Before(end); at = at.Add(moment) {
			x.log(log, problem, ready, at)
		}
	}
	show("", time.Second)
	show("c is silent since 2000-01-01T00:00:00Z; start it", time.Second)
	show("", moment)
	show("c is silent since 2000-01-01T00:00:01Z; start it", time.Second)
	show("c does not answer", moment)
	show("c is behind", moment)
	show("b1, at op 7, is silent since 2000-01-01T00:00:00Z", time.Second)
	show("b1, at op 8, is silent since 2000-01-01T00:00:00Z", time.Second)
	show("b2, at op 8, is silent since 2000-01-01T00:00:00Z", 2*time.Second)
	show("b2, at op 9, is silent since 2000-01-01T00:00:01Z", 2*time.Second)
	show("b is behind", moment)
	show("", 2*time.Second)
	show("c is behind", moment)
	ready = true
	show("", moment)
	require.Equal(t, "[WARN]  c is silent since 2000-01-01T00:00:00Z; start it\n"+
		"[WARN]  b1, at op 8, is silent since 2000-01-01T00:00:00Z\n"+
		"[WARN]  b2, at op 8, is silent since 2000-01-01T00:00:00Z\n"+
		"[INFO]  the problem is over: was=\"b2, at op 8, is silent since 2000-01-01T00:00:00Z\" lasted=3.1s\n"+
		"[WARN]  c is behind\n"+
		"[INFO]  the problem is over: was=\"c is behind\" lasted=100ms\n", lines.String())
}

// What a replica notices again and again is logged ever more rarely.
func TestNotesAreRepeatedEverMoreRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines strings.Builder
		var r Replica
		r.notes.Log = hclog.New(&hclog.LoggerOptions{Output: &lines, DisableTime: true})
		for range 100 {
			driver{&r}.Note(shell.Note{Level: hclog.Error, Text: "no snapshot was taken", Err: io.ErrShortWrite})
			time.Sleep(200 * time.Millisecond)
		}
		require.Equal(t, "[ERROR] no snapshot was taken: error=\"short write\"\n"+
			"[ERROR] no snapshot was taken: error=\"short write\" held back=49\n", lines.String())
	})
}

// A member that has lost its memory stays out. The others name it and the reason, and warn about it once.
func TestAMemberOutsideIsReportedOnce(t *testing.T) {
	var lines strings.Builder
	scenarioWith(t, 3, logTo(&lines, "a"), func(g *group) {
		g.start()
		g.propose("a", "x")
		g.healthy(1)
		g.crash("c")
		g.disks["c"] = vfs.NewCrashable()
		g.start("c")
		g.problem("a", "c has taken no part since ")
		for range 120 {
			time.Sleep(time.Second)
			g.problem("a", "c has taken no part since ")
			g.problem("b", "c has taken no part since ")
		}
		g.close("a")
		assert.LessOrEqual(t, strings.Count(lines.String(), "[WARN]"), 2, "%s", &lines)
	})
}
