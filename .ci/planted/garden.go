package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// garden tries bugs on the module in root.
type garden struct {
	root   string
	jobs   int
	report io.Writer

	copy *grown // copy of the sources that contains most of the bugs
}

// try tries all bugs and returns their outcomes.
func (g garden) try(bugs []bug) []outcome {
	outcomes := make([]outcome, len(bugs))
	dir, err := os.MkdirTemp("", "planted")
	if err == nil {
		defer os.RemoveAll(dir)
		g.copy, err = g.grow(dir, bugs)
	}
	if err != nil {
		for i := range outcomes {
			outcomes[i].err = err
		}
		return outcomes
	}
	sound := g.baseline(bugs)
	g.parallel(len(bugs), func(i int) {
		outcomes[i] = g.plant(bugs[i], sound)
	}, func(i int) {
		outcomes[i].print(g.report, bugs[i])
	})
	return outcomes
}

// parallel calls do(0) to do(n-1), up to g.jobs at a time, and done after each, one at a time.
func (g garden) parallel(n int, do, done func(i int)) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	places := make(chan struct{}, max(g.jobs, 1))
	for i := range n {
		places <- struct{}{}
		wg.Go(func() {
			do(i)
			mu.Lock()
			done(i)
			mu.Unlock()
			<-places
		})
	}
	wg.Wait()
}

// baseline runs each test without any bug, and returns an error by the test's arguments if it
// fails: a test that fails anyway does not find a bug.
func (g garden) baseline(bugs []bug) map[string]error {
	limits, keys := map[string]bug{}, []string{}
	for _, b := range bugs {
		for _, test := range b.tests {
			key := strings.Join(test, " ")
			if _, ok := limits[key]; !ok {
				keys = append(keys, key)
				limits[key] = b
			}
		}
	}
	var mu sync.Mutex
	sound := map[string]error{}
	g.parallel(len(keys), func(i int) {
		v := g.copied(0, limits[keys[i]].limit, strings.Fields(keys[i]))
		mu.Lock()
		defer mu.Unlock()
		if v.err == nil && v.failed {
			v.err = fmt.Errorf("fails without any bug:\n%s", v.output)
		}
		sound[keys[i]] = v.err
	}, func(int) {})
	return sound
}

// outcome is the outcome of trying a bug.
type outcome struct {
	by    []string      // tests that failed
	after time.Duration // time that the tests took, without compiling
	sim   *catch        // result of the simulation
	err   error         // nil if the outcome is right
	in    time.Duration // total time
}

func (o outcome) print(w io.Writer, b bug) {
	switch {
	case o.err != nil:
		fmt.Fprintf(w, "FAIL     %s (%s): %v\n", b.name, b.where, o.err)
	case b.control:
		fmt.Fprintf(w, "harmless %s, %.1fs\n", b.name, o.in.Seconds())
	case b.sim:
		fmt.Fprintf(w, "found    %s, %.1fs, by %s, at seed %d, after %.2fs: %.120s\n", b.name, o.in.Seconds(), o.sim.rule, o.sim.seed, o.sim.after.Seconds(), o.sim.text)
	default:
		fmt.Fprintf(w, "found    %s, %.1fs, by %s, after %.2fs\n", b.name, o.in.Seconds(), strings.Join(o.by, ", "), o.after.Seconds())
	}
}

// plant runs b's tests with the bug. sound holds the result of baseline.
func (g garden) plant(b bug, sound map[string]error) (o outcome) {
	began := time.Now()
	defer func() { o.in = time.Since(began) }()
	test := func(test []string) verdict { return g.copied(g.copy.numbers[b.name], b.limit, test) }
	overlay := ""
	if g.copy.numbers[b.name] == 0 { // the bug is not in the copy and must be compiled by itself
		dir, err := os.MkdirTemp("", "planted")
		if err != nil {
			return outcome{err: err}
		}
		defer os.RemoveAll(dir)
		if overlay, err = g.overlay(b, dir); err != nil {
			return outcome{err: err}
		}
		test = func(test []string) verdict { return g.test(b.limit, test, "-overlay="+overlay, "-count=1") }
	}
	if b.sim {
		o.sim, o.err = g.simulate(b, overlay)
		return o
	}
	for _, args := range b.tests {
		if err := sound[strings.Join(args, " ")]; err != nil {
			return outcome{err: fmt.Errorf("go test %s: %w", strings.Join(args, " "), err)}
		}
		v := test(args)
		if err := v.judge(b.control); err != nil {
			return outcome{err: fmt.Errorf("go test %s: %w", strings.Join(args, " "), err)}
		}
		o.by, o.after = append(o.by, v.by), o.after+v.took
	}
	return o
}

// changed returns the contents of the files that the bug changes, with the bug, by path.
func (b *bug) changed(root string) (map[string]string, error) {
	changed := map[string]string{}
	for _, e := range b.edits {
		path := filepath.Join(root, filepath.FromSlash(e.file))
		if _, ok := changed[path]; !ok {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			changed[path] = string(text)
		}
		if n := strings.Count(changed[path], e.old); n != 1 {
			return nil, fmt.Errorf("the old text occurs %d times in %s but must occur once; make the table follow the source\n%s", n, e.file, e.old)
		}
		changed[path] = strings.Replace(changed[path], e.old, e.new, 1)
	}
	return changed, nil
}

// overlay writes the changed files to dir and returns the file to pass to go's -overlay.
func (g garden) overlay(b bug, dir string) (string, error) {
	changed, err := b.changed(g.root)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for path, text := range changed {
		copied := filepath.Join(dir, fmt.Sprintf("%d_%s", len(replace), filepath.Base(path)))
		if err := os.WriteFile(copied, []byte(text), 0o666); err != nil {
			return "", err
		}
		replace[path] = copied
	}
	return writeOverlay(dir, replace)
}

func writeOverlay(dir string, replace map[string]string) (string, error) {
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, list, 0o666)
}

// verdict is the result of running go test.
type verdict struct {
	failed bool
	by     string // innermost test that failed, or "a panic"
	took   time.Duration
	output string
	err    error // why there is no verdict
}

// building is the time allowed for compiling in addition to a test's limit.
const building = 5 * time.Minute

// test runs go test.
func (g garden) test(limit time.Duration, test []string, flags ...string) verdict {
	ctx, cancel := context.WithTimeout(context.Background(), limit+building)
	defer cancel()
	args := append([]string{"test", "-vet=off", fmt.Sprintf("-timeout=%v", limit)}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, test...)...)
	cmd.Dir, cmd.WaitDelay = g.root, 10*time.Second
	output, err := cmd.CombinedOutput()
	return read(string(output), err)
}

var (
	failedTest    = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	failedPackage = regexp.MustCompile(`(?m)^FAIL\s+\S+\s+([\d.]+s)$`)
)

// read interprets the output of go test.
func read(output string, err error) verdict {
	v := verdict{output: output, failed: err != nil, by: "a panic"}
	for _, name := range failedTest.FindAllStringSubmatch(output, -1) {
		if v.by == "a panic" || strings.HasPrefix(name[1], v.by+"/") {
			v.by = name[1] // the innermost test
		}
	}
	if m := failedPackage.FindStringSubmatch(output); m != nil {
		v.took, _ = time.ParseDuration(m[1])
	}
	switch {
	case strings.Contains(output, "[build failed]"), strings.Contains(output, "[setup failed]"):
		v.err = fmt.Errorf("does not compile:\n%s", output)
	case err == nil && strings.Contains(output, "no tests to run"), strings.Contains(output, "[no test files]"):
		v.err = errors.New("there is no such test")
	case strings.Contains(output, "panic: test timed out"):
		v.err = fmt.Errorf("no verdict in time:\n%s", output)
	case err != nil && !strings.Contains(output, "\nFAIL") && !strings.HasPrefix(output, "FAIL"):
		v.err = fmt.Errorf("go test did not run: %w\n%s", err, output)
	}
	return v
}

// judge returns an error if the verdict is wrong for a bug or, if control is set, for a control.
func (v verdict) judge(control bool) error {
	switch {
	case v.err != nil:
		return v.err
	case control && v.failed:
		return fmt.Errorf("a harmless change made it fail:\n%s", v.output)
	case !control && !v.failed:
		return errors.New("passed: the bug was not found")
	}
	return nil
}
