// Readme runs the commands in documents: every fenced code block of type "sh", in order, with bash,
// in the current directory, which should be a clean clone. It only prints a block whose info string
// also contains "norun".
//
//	go run ./.ci/readme [-timeout 10m] [-must 'go test ./...'] [FILE...]
//
// Without a FILE it runs README.md. The line required by -must must be in the first FILE.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

func main() {
	timeout := flag.Duration("timeout", 10*time.Minute, "maximum `duration` of a block")
	must := flag.String("must", "", "a `command` that must be a line of a block in the first file")
	flag.Parse()
	paths := flag.Args()
	if len(paths) == 0 {
		paths = []string{"README.md"}
	}
	for i, path := range paths {
		if i > 0 {
			*must = ""
		}
		if err := run(path, *must, *timeout); err != nil {
			fmt.Fprintln(os.Stderr, "readme:", err)
			os.Exit(1)
		}
	}
}

func run(path, must string, timeout time.Duration) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	all, err := blocks(string(text))
	if err != nil {
		return fmt.Errorf("%s:%w", path, err)
	}
	if must != "" && !slices.ContainsFunc(all, func(b block) bool { return !b.norun && slices.Contains(b.commands, must) }) {
		return fmt.Errorf("%s: no block that is run has the line %q", path, must)
	}
	for _, b := range all {
		fmt.Printf("%s:%d:\n\t%s\n", path, b.line, strings.Join(b.commands, "\n\t"))
		if b.norun {
			fmt.Println("not run: norun")
			continue
		}
		began := time.Now()
		if err := b.run(timeout); err != nil {
			return fmt.Errorf("%s:%d: %w", path, b.line, err)
		}
		fmt.Printf("ran in %v\n", time.Since(began).Round(time.Millisecond))
	}
	return nil
}

// block is a fenced block of shell commands.
type block struct {
	line     int // line of its first command
	norun    bool
	commands []string
}

// blocks returns the blocks of type sh in a Markdown text.
func blocks(text string) (all []block, err error) {
	var open *block // nil outside a block and inside one of another type
	fence := ""     // fence of the open block
	for i, line := range strings.Split(text, "\n") {
		bare := strings.TrimSpace(line)
		ticks := bare[:len(bare)-len(strings.TrimLeft(bare, "`"))]
		switch {
		case fence == "" && len(ticks) >= 3:
			fence = ticks
			if info := strings.Fields(bare[len(ticks):]); len(info) > 0 && info[0] == "sh" {
				open = &block{line: i + 2, norun: slices.Contains(info, "norun")}
			}
		case fence != "" && bare == fence:
			if open != nil {
				all = append(all, *open)
			}
			open, fence = nil, ""
		case open != nil:
			open.commands = append(open.commands, line)
		}
	}
	if fence != "" {
		return nil, fmt.Errorf(" the last block is not closed with %s", fence)
	}
	return all, nil
}

// run runs the commands up to the first one that fails.
func (b block) run(timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", strings.Join(b.commands, "\n"))
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = os.Stdout, os.Stderr, 5*time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return fmt.Errorf("timeout after %v", timeout)
	}
	return err
}
