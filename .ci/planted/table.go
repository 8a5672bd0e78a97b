package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// bug is a change of the sources that tests must find or, if it is a control, must not find.
type bug struct {
	name    string
	where   string // file:line
	control bool
	limit   time.Duration // limit of each test, and of the simulation's processor time
	edits   []edit
	tests   [][]string // arguments of go test, one slice for each test
	sim     bool       // whether the simulation must find it
	seed    int        // seed that is known to show the bug and is tried first; 0 if none is known
}

// edit replaces a text that must occur exactly once in the file.
type edit struct{ file, old, new string }

const defaultLimit = 60 * time.Second

// readTables reads all tables in a directory.
func readTables(dir string) (bugs []bug, err error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	for _, path := range paths {
		more, err := readTable(path)
		if err != nil {
			return nil, err
		}
		bugs = append(bugs, more...)
	}
	return bugs, err
}

// readTable reads a table of bugs.
func readTable(path string) ([]bug, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := tableReader{path: path, lines: strings.Split(string(text), "\n")}
	for p.next < len(p.lines) {
		if err := p.line(); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, p.next, err)
		}
	}
	return p.bugs, p.complete()
}

type tableReader struct {
	path  string
	lines []string
	next  int
	bugs  []bug
	file  string // file of the next edit
}

// line reads one line or, after "old", all lines up to "end".
func (p *tableReader) line() error {
	text := p.lines[p.next]
	p.next++
	word, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	if word == "" || strings.HasPrefix(word, "#") {
		return nil
	}
	if word == "bug" || word == "control" {
		return p.begin(rest, word == "control")
	}
	if len(p.bugs) == 0 {
		return fmt.Errorf("%q before the first bug or control", word)
	}
	b := &p.bugs[len(p.bugs)-1]
	switch word {
	case "file":
		p.file = rest
	case "old":
		return p.edit(b)
	case "sim":
		b.sim = true
	case "test":
		b.tests = append(b.tests, strings.Fields(rest))
	case "limit":
		limit, err := time.ParseDuration(rest)
		b.limit = limit
		return err
	default:
		return fmt.Errorf("%q is not one of bug, control, file, old, sim, test, limit", word)
	}
	return nil
}

// begin begins a bug after checking that the previous one is complete.
func (p *tableReader) begin(name string, control bool) error {
	if err := p.complete(); err != nil {
		return err
	}
	for _, b := range p.bugs {
		if b.name == name {
			return fmt.Errorf("%q is already defined at %s", name, b.where)
		}
	}
	where := fmt.Sprintf("%s:%d", p.path, p.next)
	p.bugs = append(p.bugs, bug{name: name, where: where, control: control, limit: defaultLimit})
	p.file = ""
	return nil
}

// complete checks that the last bug is complete.
func (p *tableReader) complete() error {
	if len(p.bugs) == 0 {
		return nil
	}
	b := p.bugs[len(p.bugs)-1]
	if b.name == "" || len(b.edits) == 0 || b.sim != (len(b.tests) == 0) {
		return fmt.Errorf("%s: a bug needs a name (%q), an edit (%d), and either tests (%d) or sim", b.where, b.name, len(b.edits), len(b.tests))
	}
	return nil
}

// edit reads the lines from "old" to "new" and from there to "end".
func (p *tableReader) edit(b *bug) error {
	if p.file == "" {
		return fmt.Errorf("old without a file before it")
	}
	old, err := p.upTo("new")
	if err != nil {
		return err
	}
	new, err := p.upTo("end")
	if err != nil {
		return err
	}
	b.edits = append(b.edits, edit{p.file, old, new})
	return nil
}

func (p *tableReader) upTo(word string) (string, error) {
	for i, line := range p.lines[p.next:] {
		if line == word {
			text := strings.Join(p.lines[p.next:p.next+i], "\n")
			p.next += i + 1
			return text, nil
		}
	}
	return "", fmt.Errorf("no line %q", word)
}
