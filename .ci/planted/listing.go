package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// The table of what found each bug stands in a Markdown file between these lines.
const (
	listingBegins = "<!-- planted: written by go run ./.ci/planted -table, not by hand -->"
	listingEnds   = "<!-- planted: end -->"
)

// rules says what the rules are about that the simulation checks, for those who have not read the
// protocol's description.
var rules = map[string]string{
	"11.1":     "views, commit numbers and what is applied never fall, and stay in order",
	"11.2":     "there is one history of what is committed",
	"11.3":     "any view change keeps every committed op",
	"11.4":     "entries with the same viewstamp are the same, and all before them",
	"11.5":     "a view has one primary",
	"11.6":     "what is said is true on the sayer's disk",
	"11.7":     "a request is executed once, and its result is its own",
	"11.8":     "states at equal ops are equal",
	"11.9":     "what callers see is linearizable",
	"C3":       "a snapshot is of what is committed",
	"F17":      "another replica's or group's directory is refused, and left as it is",
	"F18":      "a directory is used by one process at a time",
	"N2":       "time does not go back along the log",
	"N4":       "what is committed is on enough disks",
	"N7":       "ops are applied in order",
	"S5":       "a restart finds on the disk what was durable, and all of it",
	"X4":       "what callers are told about the outcome is true",
	"V2":       "who restarts in a view that it leads never leads it again",
	"error":    "a replica does not stop without a fault that makes it",
	"liveness": "once healed, all members come together soon, and every call ends",
	"panic":    "nothing panics",

	"too little":         "a run in which nothing gets done shows nothing",
	"not deterministic":  "replicas do the same",
	"restore incomplete": "a restored state is the one of the snapshot",
}

// listing makes the table.
func listing(bugs []bug, outcomes []outcome) string {
	var b strings.Builder
	b.WriteString(listingBegins + "\n\n| bug | caught by | seeds tried | time to the first catch |\n|---|---|---:|---:|\n")
	for i := range bugs {
		fmt.Fprintf(&b, "| %s | %s |\n", cell(bugs[i].name), cells(&bugs[i], &outcomes[i]))
	}
	b.WriteString("\n" + listingEnds + "\n")
	return b.String()
}

// cells is what stands behind a bug's name.
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

// writeListing puts the table into its place in a file.
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

// cutListing parts a text around the table.
func cutListing(text string) (before, table, after string, err error) {
	before, rest, begins := strings.Cut(text, listingBegins+"\n")
	table, after, ends := strings.Cut(rest, listingEnds+"\n")
	if !begins || !ends {
		return "", "", "", fmt.Errorf("it lacks one of the lines %q and %q", listingBegins, listingEnds)
	}
	return before, table, after, nil
}

// row is a bug's line in a table.
type row struct {
	name string
	seed int // at which the simulation found it; 0: something else did
}

// rows returns what a table says.
func rows(table string) (all []row) {
	for line := range strings.Lines(table) {
		if cells := strings.Split(strings.Trim(line, "|\n"), " | "); len(cells) == 4 {
			seed, _ := strconv.Atoi(cells[2])
			all = append(all, row{strings.ReplaceAll(strings.TrimSpace(cells[0]), `\|`, "|"), seed})
		}
	}
	return all[min(1, len(all)):]
}

// recall tells bugs the seeds at which they were found when the table in file was written.
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
