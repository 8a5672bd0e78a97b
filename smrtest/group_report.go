package smrtest

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/vsr"
)

// step is something that the test did.
type step struct {
	at     time.Duration
	inside string // "": by itself
	text   func() string
}

// did writes down what the test did.
func (g *group) did(what string) {
	g.script = append(g.script, step{g.s.Now(), g.inside, func() string { return what }})
}

// describe shows an operation.
func (g *group) describe(body []byte) string {
	if g.cfg.Describe != nil {
		return g.cfg.Describe(body)
	}
	return quote(body)
}

// shown is how many of the last steps a report shows.
const shown = 40

// report is what a failed test says: what is wrong, what was done before, and how the replicas are.
func (g *group) report(format string, args ...any) string {
	var b strings.Builder
	fmt.Fprintf(&b, format, args...)
	fmt.Fprintf(&b, "\n\nafter %s of virtual time with seed %d, in which the test did\n", at(g.s.Now()), g.cfg.Seed)
	for _, line := range g.steps() {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	b.WriteString("\nthe replicas\n")
	for i := range g.names {
		fmt.Fprintf(&b, "  %s  %s\n", g.names[i], g.look(i))
	}
	fmt.Fprintf(&b, "\nthe same again, and a picture of it: %s", g.command())
	return b.String()
}

// command repeats the test, and draws it.
func (g *group) command() string { return command(g.t.Name(), "-artifacts") }

// steps is what the test did, in lines: the last ones, and what was done many times over in one.
func (g *group) steps() (lines []string) {
	for i := 0; i < len(g.script); {
		x, times := &g.script[i], 1
		text := x.text()
		for i += 1; i < len(g.script) && g.script[i].inside == x.inside && g.script[i].text() == text; i++ {
			times++
		}
		if x.inside != "" {
			text = x.inside + ": " + text
		}
		if times > 1 {
			text += fmt.Sprintf(" (%d times, until %s)", times, at(g.script[i-1].at))
		}
		lines = append(lines, at(x.at)+"  "+text)
	}
	if len(lines) == 0 {
		return []string{"nothing yet"}
	}
	if earlier := len(lines) - shown; earlier > 0 {
		lines = append([]string{fmt.Sprintf("… %d steps before", earlier)}, lines[earlier:]...)
	}
	return lines
}

// at shows a virtual time.
func at(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }

// look is a replica in one line.
func (g *group) look(i int) string {
	x, s := g.s.Status(i), g.status(i)
	if !x.Up {
		return "down: " + s.Problem
	}
	role := string(s.Phase)
	if x.State.Phase == vsr.Primary || x.State.Phase == vsr.Backup {
		role = x.State.Phase.String()
	}
	text := fmt.Sprintf("%-11s  view %d, log to op %d, committed %d, applied %d, snapshot %d", role, s.View, s.Op, s.Commit, s.Applied, s.Snapshot)
	if x.Paused {
		text += "; it is paused"
	}
	if deaf := g.unheard(i); len(deaf) > 0 {
		text += "; it does not hear " + join(deaf)
	}
	if s.Problem != "" {
		text += "; it says: " + s.Problem
	}
	if state := stateOf(x.Machine); state != "" {
		text += "\n     " + state
	}
	return text
}

// Numbers of rules tell a user nothing, nor does it where in the checks his machine was called.
var (
	ruleNumber = regexp.MustCompile(`^(11\.[0-9]+|[A-Z][0-9]+)$`)
	ruleNames  = regexp.MustCompile(`\b(the log replayed|11\.[0-9]+|[A-Z][0-9]+): `)
	ownFrames  = regexp.MustCompile(`(?s)\ngoroutine \d+ \[.*?\npanic\(.*?\n.*?\n`)
	restFrames = regexp.MustCompile(`(?s)\n[^\n]*/internal/sim\..*`)
)

// explain says what a violation is in the words of those who use smr.
func explain(v *sim.Violation) string {
	text := ownFrames.ReplaceAllString(v.Text, "\n")
	text = ruleNames.ReplaceAllString(restFrames.ReplaceAllString(text, ""), "")
	switch {
	case ruleNumber.MatchString(v.Rule):
		return fmt.Sprintf("a promise of smr is broken, which is a bug in smr and not in the state machine: please report it\n%s: %s", v.Rule, v.Text)
	case v.Rule == "liveness":
		return "the group has not become one again, though nothing is in its way any more\n" + text
	case v.Rule == "too little":
		return "too little happened to tell anything\n" + text
	case v.Rule == "panic":
		return "a panic, in smr or in what the test gave it\n" + text
	case v.Rule == "error":
		return "an error that nothing the test did explains\n" + text
	}
	return "this rule is broken: " + v.Rule + "\n" + text
}
