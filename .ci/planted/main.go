// Planted lays small bugs over the sources, one at a time, and demands that a test finds each: a
// test that cannot fail shows nothing. Controls are changes that are harmless by design, and must
// not be found. The sources themselves know nothing of it (go test -overlay).
//
//	go run ./.ci/planted [-run REGEXP] [-jobs N] [-table FILE]
//
// With -table it writes into FILE, between two marks, the table of what found each. The bugs are in .ci/planted/*.txt; bugs.txt says how they are written.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"time"
)

func main() {
	only := flag.String("run", "", "plant only the bugs whose name matches")
	jobs := flag.Int("jobs", runtime.NumCPU(), "bugs tried at the same time")
	table := flag.String("table", "", "file to write the table into")
	flag.Parse()
	if err := run(*only, *jobs, *table); err != nil {
		fmt.Fprintln(os.Stderr, "planted:", err)
		os.Exit(1)
	}
}

func run(only string, jobs int, table string) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	all, err := readTables(filepath.Join(root, ".ci", "planted"))
	if err != nil {
		return err
	}
	bugs := matching(all, match)
	switch {
	case len(bugs) == 0:
		return fmt.Errorf("no bug of %d in .ci/planted matches %q; run it from the module's root", len(all), only)
	case table != "" && len(bugs) < len(all):
		return errors.New("a table is of all bugs: -run leaves some out")
	}
	began := time.Now()
	outcomes := garden{root: root, jobs: jobs, report: os.Stdout}.try(bugs)
	failures := 0
	for _, o := range outcomes {
		if o.err != nil {
			failures++
		}
	}
	fmt.Printf("%d of %d as they must be, in %v\n", len(bugs)-failures, len(bugs), time.Since(began).Round(time.Second))
	if failures > 0 {
		return fmt.Errorf("%d failures", failures)
	}
	if table != "" {
		return writeListing(table, bugs, outcomes)
	}
	return nil
}

func matching(bugs []bug, match *regexp.Regexp) (some []bug) {
	for _, b := range bugs {
		if match.MatchString(b.name) {
			some = append(some, b)
		}
	}
	return some
}
