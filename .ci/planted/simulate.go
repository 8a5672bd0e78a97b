package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// The simulation's package, relative to the module's root, and its test that tries new seeds.
const (
	simulated = "./internal/sim"
	newSeeds  = "^TestNewSeeds$"
)

// The numbers of seeds that the simulation tries. They limit seeds and not time, so that the result
// does not depend on the load of the machine. Two thousand seeds take three minutes of processor time.
const (
	bugSeeds     = 2000
	controlSeeds = 100
)

// catch is a run of the simulation that found a bug.
type catch struct {
	rule  string        // rule that was violated
	text  string        // description of the violation
	seed  int           // seed of the run; in a search from 1 on, also the number of seeds tried
	after time.Duration // processor time, without compiling
}

// simulate runs the simulation on one core to find a bug, first with the seed known to show it and
// then with the seeds from 1 on. The bug is in the copy or, if overlay is not "", in the overlay.
func (g garden) simulate(b bug, overlay string) (*catch, error) {
	number := g.copy.numbers[b.name]
	sound := g.copy.program(simulated)
	if sound.err != nil {
		return nil, sound.err
	}
	program := sound.file
	if overlay != "" {
		program = filepath.Join(filepath.Dir(overlay), "sim.test")
		if err := g.built(simulated, program, overlay); err != nil {
			return nil, err
		}
	}
	seeds := bugSeeds
	if b.control {
		seeds = controlSeeds
	}
	var found *catch
	var err error
	if b.seed > 0 {
		found, err = g.seeds(program, number, b.seed, 1)
	}
	if found == nil && err == nil {
		found, err = g.seeds(program, number, 1, seeds)
	}
	switch {
	case err != nil:
		return nil, err
	case b.control && found != nil:
		return nil, fmt.Errorf("a harmless change made seed %d fail: %s: %s", found.seed, found.rule, found.text)
	case b.control:
		return nil, nil
	case found == nil:
		return nil, fmt.Errorf("the simulation did not find it in %d seeds", seeds)
	case found.after > b.limit:
		return nil, fmt.Errorf("the simulation found it only at seed %d, after %v; the limit is %v", found.seed, found.after, b.limit)
	}
	anyway, err := g.seeds(sound.file, 0, found.seed, 1)
	if err == nil && anyway != nil {
		err = fmt.Errorf("seed %d fails without any bug: %s: %s", found.seed, anyway.rule, anyway.text)
	}
	return found, err
}

// seeds runs count seeds from first on with the bug of the given number, and returns the first run
// that failed, or nil.
func (g garden) seeds(program string, number, first, count int) (*catch, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*building)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-test.v", "-test.timeout=0", "-test.run="+newSeeds,
		fmt.Sprintf("-sim.seed=%d", first), fmt.Sprintf("-sim.runs=%d", count), "-sim.trace=1", "-sim.shrink=0")
	cmd.Dir, cmd.WaitDelay = filepath.Join(g.root, filepath.FromSlash(simulated)), 10*time.Second
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", numberOf, number), "GOMAXPROCS=1", "TMPDIR="+filepath.Dir(program)) // one core makes the result repeatable
	output, err := cmd.CombinedOutput()
	c, err := readSeeds(string(output), err)
	if c != nil {
		c.after = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	return c, err
}

var (
	failedSeed = regexp.MustCompile(`(?m)^.*: seed (\d+): at [\d.]+ s: (.+?): (.*)$`)
	passed     = regexp.MustCompile(`(?m)^--- PASS: TestNewSeeds `)
)

// readSeeds interprets the output of the simulation. Only a violation of a rule counts as a catch.
func readSeeds(output string, err error) (*catch, error) {
	seed := failedSeed.FindStringSubmatch(output)
	switch {
	case err == nil && passed.MatchString(output):
		return nil, nil
	case err == nil:
		return nil, errors.New("the simulation has no such test")
	case seed == nil:
		return nil, fmt.Errorf("no verdict: %w\n%s", err, output)
	}
	c := &catch{rule: seed[2], text: seed[3]}
	c.seed, _ = strconv.Atoi(seed[1])
	return c, nil
}
