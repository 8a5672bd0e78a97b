package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// These lines enclose the table in a Markdown file.
const (
	listingBegins = "<!-- planted: written by go run ./.ci/planted -table, not by hand -->"
	listingEnds   = "<!-- planted: end -->"
)

// rules describes the rules that the simulation checks.
var rules = map[string]string{
	"11.1":     "views, commit numbers and applied ops never go back, and stay in order",
	"11.2":     "all replicas commit the same history",
	"11.3":     "every view change keeps all committed ops",
	"11.4":     "entries with equal viewstamps are equal, and so are all entries before them",
	"11.5":     "a view has one primary",
	"11.6":     "a message claims only what is durable at its sender",
	"11.7":     "a request is executed once and returns its own result",
	"11.8":     "states at equal ops are equal",
	"11.9":     "the history that callers observe is linearizable",
	"11.10":    "limits hold",
	"C3":       "a snapshot contains only committed ops",
	"F17":      "the directory of another replica or group is refused and left unchanged",
	"F18":      "at most one process at a time uses a directory",
	"N2":       "time never decreases along the log",
	"N4":       "committed ops are durable on enough disks",
	"N7":       "ops are applied in order",
	"S5":       "a restart finds everything that was durable",
	"S6":       "a member that lost its memory counts in no quorum of a member that knows",
	"X4":       "the outcome reported to a caller is true",
	"V2":       "a primary leads its view once, and hands its role to the member that the outcome names",
	"error":    "a replica stops only because of a fault",
	"liveness": "once faults end, all members soon agree and every call returns",
	"panic":    "nothing panics",

	"Status":             "calls fail only while Status reports a problem, and it reports none that is over",
	"too little":         "a run must make progress",
	"not deterministic":  "replicas that apply the same operations agree",
	"restore incomplete": "a restored state equals that of the snapshot",
}

// listing returns the table.
func listing(bugs []bug, outcomes []outcome) string {
	var b strings.Builder
	b.WriteString(listingBegins + "\n\n| bug | caught by | seeds tried | time to the first catch |\n|---|---|---:|---:|\n")
	for i := range bugs {
		fmt.Fprintf(&b, "| %s | %s |\n", cell(bugs[i].name), cells(&bugs[i], &outcomes[i]))
	}
	b.WriteString("\n" + listingEnds + "\n")
	return b.String()
}

// cells returns the cells after the bug's name.
func cells(b *bug, o *outcome) string {
	switch {
	case b.control:
		return "nothing: it is harmless | – | –"
	case !b.sim:
		return fmt.Sprintf("%s | a test of its own | %.2f s", cell("`"+strings.Join(o.by, "`, `")+"`"), o.after.Seconds())
	case rules[o.sim.rule] != "":
		return fmt.Sprintf("%s: %s | %d | %.2f s", o.sim.rule, rules[o.sim.rule], o.sim.seed, o.sim.after.Seconds())
	}
	return fmt.Sprintf("%s | %d | %.2f s", cell(o.sim.rule), o.sim.seed, o.sim.after.Seconds())
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// writeListing replaces the table in a file.
func writeListing(file string, bugs []bug, outcomes []outcome) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, _, after, err := cutListing(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, []byte(before+listing(bugs, outcomes)+after), 0o666)
}

// cutListing splits a text into the table and the texts before and after it.
func cutListing(text string) (before, table, after string, err error) {
	before, rest, begins := strings.Cut(text, listingBegins+"\n")
	table, after, ends := strings.Cut(rest, listingEnds+"\n")
	if !begins || !ends {
		return "", "", "", fmt.Errorf("it lacks one of the lines %q and %q", listingBegins, listingEnds)
	}
	return before, table, after, nil
}

// row is a bug's row in a table.
type row struct {
	name string
	seed int // seed at which the simulation found the bug; 0 if another test did
}

// rows returns the rows of a table.
func rows(table string) (all []row) {
	for line := range strings.Lines(table) {
		if cells := strings.Split(strings.Trim(line, "|\n"), " | "); len(cells) == 4 {
			seed, _ := strconv.Atoi(cells[2])
			all = append(all, row{strings.ReplaceAll(strings.TrimSpace(cells[0]), `\|`, "|"), seed})
		}
	}
	return all[min(1, len(all)):]
}

// recall sets the seeds of bugs to those in the table of a file.
func recall(bugs []bug, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	_, table, _, err := cutListing(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	seeds := map[string]int{}
	for _, r := range rows(table) {
		seeds[r.name] = r.seed
	}
	for i := range bugs {
		bugs[i].seed = seeds[bugs[i].name]
	}
	return nil
}
