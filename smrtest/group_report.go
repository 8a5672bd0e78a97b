package smrtest

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/picture"
	"github.com/smr-go/smr/internal/sim"
	"github.com/smr-go/smr/internal/sim/fault"
)

// step is an action of the test.
type step struct {
	at     time.Duration
	inside string // the callback that it was in; "" for none
	text   func() string
}

// did records an action of the test.
func (g *group) did(what string) {
	g.script = append(g.script, step{g.s.Now(), g.inside, func() string { return what }})
}

// describe returns an operation as text.
func (g *group) describe(body []byte) string {
	if g.cfg.Describe != nil {
		return g.cfg.Describe(body)
	}
	return quote(body)
}

// shown is the most steps, the last ones, in a report.
const shown = 40

// report returns the text of a failure: the problem, the test's actions, and the replicas.
func (g *group) report(format string, args ...any) string {
	var b strings.Builder
	fmt.Fprintf(&b, format, args...)
	fmt.Fprintf(&b, "\n\nafter %s of virtual time with seed %d. The test's steps\n", at(g.s.Now()), g.cfg.Seed)
	for _, line := range g.steps() {
		fmt.Fprintf(&b, "  %s\n", line)
	}
	b.WriteString("\nthe replicas\n")
	for i := range g.names {
		fmt.Fprintf(&b, "  %s  %s\n", g.names[i], g.look(i))
	}
	fmt.Fprintf(&b, "\nto repeat it, with a picture: %s", g.command())
	return b.String()
}

// command returns the command that repeats the test and draws a picture.
func (g *group) command() string { return command(g.t.Name(), "-artifacts") }

// steps returns the last actions of the test, one a line. Repetitions share a line.
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
		return []string{"none yet"}
	}
	if earlier := len(lines) - shown; earlier > 0 {
		lines = append([]string{fmt.Sprintf("… %d earlier steps", earlier)}, lines[earlier:]...)
	}
	return lines
}

// at formats a virtual time.
func at(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }

// look returns a replica as look does, with more details.
func (g *group) look(i int) string {
	x, more := g.s.Status(i), ""
	if !x.Up {
		return "down: " + g.whyDown(i)
	}
	if deaf := g.unheard(i); len(deaf) > 0 {
		more = "; it does not hear " + fault.List(deaf)
	}
	return look(&x, more)
}

// Numbers of rules, and stack frames of the checks, mean nothing to a user.
var (
	ruleNumber = regexp.MustCompile(`^(11\.[0-9]+|[A-Z][0-9]+)$`)
	ruleNames  = regexp.MustCompile(`\b(the log replayed|11\.[0-9]+|[A-Z][0-9]+): `)
	ownFrames  = regexp.MustCompile(`(?s)\ngoroutine \d+ \[.*?\npanic\(.*?\n.*?\n`)
	restFrames = regexp.MustCompile(`(?s)\n[^\n]*/internal/(?:sim|contract)\..*`)
)

// headings are the first lines of a report whose rule is none of a state machine's.
var headings = map[string]string{
	contract.Invariant.Name: "the Invariant does not hold",
	"liveness":              "the group did not recover, although all faults had ended",
	"too little":            "too little happened to conclude anything",
	"panic":                 "a panic, in smr or in code that the test passed to it",
	"error":                 "an error that no fault explains",
}

// explain describes a violation in the terms of smr's users.
func explain(v *sim.Violation) string {
	if ruleNumber.MatchString(v.Rule) {
		return fmt.Sprintf("a promise of smr is broken, which is a bug in smr and not in the state machine: please report it\n%s: %s", v.Rule, v.Text)
	}
	text := ownFrames.ReplaceAllString(v.Text, "\n")
	text = ruleNames.ReplaceAllString(restFrames.ReplaceAllString(text, ""), "")
	return cmp.Or(headings[v.Rule], "broken rule: "+v.Rule) + "\n" + text
}

// pictured reports whether pictures are drawn: go test -artifacts keeps them.
var pictured = func() bool { return isSet("test.artifacts") }

// drawn is the most messages, the last ones, in a picture.
const drawn = 50_000

// watch returns a recorder of the run; nil if no picture is drawn.
func (g *group) watch() sim.Watcher {
	if !pictured() {
		return nil
	}
	g.recording = sim.NewRecording(len(g.names), drawn)
	g.recording.Show = stateOf
	g.t.Cleanup(g.draw)
	return g.recording
}

// caption gives the next fault in the picture the words that the report uses.
func (g *group) caption(what string) {
	if g.recording != nil {
		g.recording.Words = what
	}
}

// draw writes the picture when the run has ended.
func (g *group) draw() {
	p := g.recording.Picture(g.s.Report())
	p.Title, p.Command = g.t.Name(), g.command()
	p.Schedule, p.Unit = g.steps(), "step"
	if v := g.s.Violation(); v != nil {
		p.Failure = explain(v)
	}
	name, err := writeFile(filepath.Join(g.t.ArtifactDir(), "group.html"), func(w io.Writer) error { return picture.Write(w, p) })
	if err != nil {
		g.t.Errorf("smrtest: no picture: %v", err)
		return
	}
	g.t.Logf("a picture of the run: %s", name)
}
