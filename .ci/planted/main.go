// Planted plants small bugs in the sources, one at a time, and requires that a test finds each of
// them: a test that cannot fail proves nothing. Controls are harmless changes that no test may
// find. The sources themselves are not modified (go test -overlay).
//
//	go run ./.ci/planted [-run REGEXP] [-jobs N] [-search | -table]
//
// A table in docs/PLANTED.md lists which test or seed found each bug. The seeds listed there are
// tried first. With -search the simulation tries the seeds from 1 on instead, and -table rewrites
// the table from such a search. The bugs are in .ci/planted/*.txt; bugs.txt describes their format.
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

// tableFile is the file that contains the table, relative to the module's root.
const tableFile = "docs/PLANTED.md"

func main() {
	var x task
	only := flag.String("run", "", "plant only the bugs whose names match this `regexp`")
	flag.IntVar(&x.jobs, "jobs", runtime.NumCPU(), "number of bugs tried concurrently")
	flag.BoolVar(&x.search, "search", false, "try the seeds from 1 on, ignoring those in the table")
	flag.BoolVar(&x.table, "table", false, "search, and rewrite the table in "+tableFile)
	flag.Parse()
	var err error
	if x.only, err = regexp.Compile(*only); err == nil {
		err = x.run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "planted:", err)
		os.Exit(1)
	}
}

// task is the work described by the command line.
type task struct {
	only          *regexp.Regexp
	jobs          int
	search, table bool
}

func (x *task) run() error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	all, err := readTables(filepath.Join(root, ".ci", "planted"))
	if err != nil {
		return err
	}
	bugs := matching(all, x.only)
	switch {
	case len(bugs) == 0:
		return fmt.Errorf("none of the %d bugs in .ci/planted matches %q; run planted from the module's root", len(all), x.only)
	case x.table && len(bugs) < len(all):
		return errors.New("-table needs all bugs, but -run selects only some")
	case !x.search && !x.table:
		if err := recall(bugs, filepath.Join(root, tableFile)); err != nil {
			return err
		}
	}
	outcomes, err := x.try(root, bugs)
	if err == nil && x.table {
		err = writeListing(filepath.Join(root, tableFile), bugs, outcomes)
	}
	return err
}

// try tries the bugs and returns an error if the outcome of any is wrong.
func (x *task) try(root string, bugs []bug) ([]outcome, error) {
	began := time.Now()
	outcomes := garden{root: root, jobs: x.jobs, report: os.Stdout}.try(bugs)
	failures := 0
	for _, o := range outcomes {
		if o.err != nil {
			failures++
		}
	}
	fmt.Printf("%d of %d outcomes are right, in %v\n", len(bugs)-failures, len(bugs), time.Since(began).Round(time.Second))
	if failures > 0 {
		return nil, fmt.Errorf("%d failures", failures)
	}
	return outcomes, nil
}

func matching(bugs []bug, match *regexp.Regexp) (some []bug) {
	for _, b := range bugs {
		if match.MatchString(b.name) {
			some = append(some, b)
		}
	}
	return some
}
