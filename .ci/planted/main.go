// Planted lays small bugs over the sources, one at a time, and demands that a test finds each: a
// test that cannot fail shows nothing. Controls are changes that are harmless by design, and must
// not be found. The sources themselves know nothing of it (go test -overlay).
//
//	go run ./.ci/planted [-run REGEXP] [-jobs N] [-search | -table]
//
// The table of what found each is in smrtest/README.md, between two marks. The seeds that it names are
// tried first; with -search they are not, but those from 1 on, and -table writes the table anew
// from such a search. The bugs are in .ci/planted/*.txt; bugs.txt says how they are written.
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

// tableFile has the table, in the module's root.
const tableFile = "smrtest/README.md"

func main() {
	var x task
	only := flag.String("run", "", "plant only the bugs whose name matches")
	flag.IntVar(&x.jobs, "jobs", runtime.NumCPU(), "bugs tried at the same time")
	flag.BoolVar(&x.search, "search", false, "search for each bug in the seeds from 1 on, as if none were known")
	flag.BoolVar(&x.table, "table", false, "search, and write the table in "+tableFile+" anew")
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

// task is what is asked for.
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
		return fmt.Errorf("no bug of %d in .ci/planted matches %q; run it from the module's root", len(all), x.only)
	case x.table && len(bugs) < len(all):
		return errors.New("a table is of all bugs: -run leaves some out")
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

// try tries bugs, and says how many were not as they must be.
func (x *task) try(root string, bugs []bug) ([]outcome, error) {
	began := time.Now()
	outcomes := garden{root: root, jobs: x.jobs, report: os.Stdout}.try(bugs)
	failures := 0
	for _, o := range outcomes {
		if o.err != nil {
			failures++
		}
	}
	fmt.Printf("%d of %d as they must be, in %v\n", len(bugs)-failures, len(bugs), time.Since(began).Round(time.Second))
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
