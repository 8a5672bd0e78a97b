package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// grown is the copy of the sources with the grafted bugs, and the programs compiled from it.
type grown struct {
	g       garden
	dir     string
	overlay string
	numbers map[string]int // numbers of the grafted bugs, by name

	mu       sync.Mutex
	programs map[string]*program // by package
}

// program is a package's compiled tests.
type program struct {
	once sync.Once
	file string
	err  error
}

// grow creates the copy in dir.
func (g garden) grow(dir string, bugs []bug) (*grown, error) {
	x := &grown{g: g, dir: dir, numbers: map[string]int{}, programs: map[string]*program{}}
	all := grafting{root: g.root, files: map[string]*grafted{}}
	for i := range bugs {
		if all.graft(&bugs[i], i+1) {
			x.numbers[bugs[i].name] = i + 1
		}
	}
	var err error
	x.overlay, err = all.write(dir)
	return x, err
}

// program returns a package's tests, compiling them on the first call.
func (x *grown) program(pkg string) *program {
	x.mu.Lock()
	p, ok := x.programs[pkg]
	if !ok {
		p = &program{}
		x.programs[pkg] = p
	}
	x.mu.Unlock()
	p.once.Do(func() {
		file := filepath.Join(x.dir, strings.NewReplacer("/", "_", ".", "").Replace(pkg)+".test")
		p.file, p.err = file, x.g.built(pkg, file, x.overlay)
	})
	return p
}

// built compiles a package's tests with an overlay.
func (g garden) built(pkg, file, overlay string) error {
	ctx, cancel := context.WithTimeout(context.Background(), building)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay="+overlay, "-o", file, pkg)
	cmd.Dir, cmd.WaitDelay = g.root, 10*time.Second
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("does not compile:\n%s", output)
	}
	return nil
}

// copied runs a test of the copy with the bug of the given number, or without a bug if it is 0.
func (g garden) copied(number int, limit time.Duration, test []string) verdict {
	p := g.copy.program(test[0])
	if p.err != nil {
		return verdict{err: p.err}
	}
	if _, err := os.Stat(p.file); err != nil {
		return verdict{err: fmt.Errorf("%s has no test files", test[0])}
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit+building)
	defer cancel()
	args := []string{"-test.paniconexit0", fmt.Sprintf("-test.timeout=%v", limit)}
	for _, a := range test[1:] {
		if a == "-run" || a == "-v" {
			a = "-test." + a[1:]
		}
		args = append(args, a)
	}
	cmd := exec.CommandContext(ctx, p.file, args...)
	cmd.Dir, cmd.WaitDelay = filepath.Join(g.root, filepath.FromSlash(test[0])), 10*time.Second
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", numberOf, number))
	output, err := cmd.CombinedOutput()
	text := string(output)
	if _, ok := errors.AsType[*exec.ExitError](err); ok && ctx.Err() == nil {
		text += "\nFAIL\n" // the end of go test's output, also after a panic
	}
	v := read(text, err)
	if cmd.ProcessState != nil {
		v.took = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	return v
}
