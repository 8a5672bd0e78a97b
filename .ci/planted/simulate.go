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

// simulated is what the simulation is, in the module's root, and the test that tries new seeds.
const (
	simulated = "./internal/sim"
	newSeeds  = "^TestNewSeeds$"
)

// How many seeds the simulation tries: a number of them, and no time, so that what is found does not
// hang on what else the machine does. A thousand take a minute and a half of one core.
const (
	bugSeeds     = 1000
	controlSeeds = 100
)

// catch is a seed whose run has shown a bug.
type catch struct {
	rule  string        // that was violated
	text  string        // how
	seed  int           // which is also how many were tried, one after the other
	after time.Duration // of one core, compiling not counted
}

// simulate has the simulation look for a bug, on one core, at the seed that is known to show it, or else
// in the seeds from 1 on. The bug is in the copy, or laid over the sources.
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
		return nil, fmt.Errorf("the simulation has not found it in %d seeds", seeds)
	case found.after > b.limit:
		return nil, fmt.Errorf("the simulation has found it at seed %d, after %v only; %v are allowed", found.seed, found.after, b.limit)
	}
	anyway, err := g.seeds(sound.file, 0, found.seed, 1)
	if err == nil && anyway != nil {
		err = fmt.Errorf("seed %d fails without any bug: %s: %s", found.seed, anyway.rule, anyway.text)
	}
	return found, err
}

// seeds runs some seeds one after the other, with the bug of that number, and returns the first that
// failed; nil if none did.
func (g garden) seeds(program string, number, first, count int) (*catch, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*building)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "-test.v", "-test.timeout=0", "-test.run="+newSeeds,
		fmt.Sprintf("-sim.seed=%d", first), fmt.Sprintf("-sim.runs=%d", count), "-sim.trace=1", "-sim.shrink=0")
	cmd.Dir, cmd.WaitDelay = filepath.Join(g.root, filepath.FromSlash(simulated)), 10*time.Second
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", numberOf, number), "GOMAXPROCS=1", "TMPDIR="+filepath.Dir(program)) // one core: the same is found each time
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

// readSeeds makes out what the simulation says: a violation and its rule; nothing else counts.
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
