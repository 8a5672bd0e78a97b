// Planted lays small bugs over the sources, one at a time, and demands that a test finds each: a
// test that cannot fail shows nothing. Controls are changes that are harmless by design, and must
// not be found. The sources themselves know nothing of it (go test -overlay).
//
//	go run ./.ci/planted [-run REGEXP] [-jobs N]
//
// The bugs are in .ci/planted/*.txt; bugs.txt says how they are written.
package main

import (
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
	flag.Parse()
	if err := run(*only, *jobs); err != nil {
		fmt.Fprintln(os.Stderr, "planted:", err)
		os.Exit(1)
	}
}

func run(only string, jobs int) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	tables, err := filepath.Glob(filepath.Join(root, ".ci", "planted", "*.txt"))
	if err != nil {
		return err
	}
	var bugs []bug
	for _, table := range tables {
		more, err := readTable(table)
		if err != nil {
			return err
		}
		bugs = append(bugs, more...)
	}
	bugs = matching(bugs, match)
	if len(bugs) == 0 {
		return fmt.Errorf("no bug matches %q in %d tables of .ci/planted; run it from the module's root", only, len(tables))
	}
	began := time.Now()
	found, failures := garden{root: root, jobs: jobs, report: os.Stdout}.try(bugs)
	fmt.Printf("%d of %d as they must be, in %v\n", found, len(bugs), time.Since(began).Round(time.Second))
	if failures > 0 {
		return fmt.Errorf("%d failures", failures)
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
