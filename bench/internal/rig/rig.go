// Package rig is what the programs of this module share: machine facts, statistics, tables, and a
// group of kv servers in processes of their own.
package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// Main runs a program until it ends or is asked to stop, and exits with 1 if it fails.
func Main(run func(ctx context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
		os.Exit(1)
	}
}

// Progress tells who waits what is being done. Standard output is for the results alone.
func Progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// InTemp runs f with a new directory below parent, which is removed when f has ended.
func InTemp(parent string, f func(dir string) error) (err error) {
	dir, err := os.MkdirTemp(parent, "smr-bench-")
	if err != nil {
		return fmt.Errorf("%w; name a directory with -dir that this user may write in", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	return f(dir)
}

const (
	patience = 30 * time.Second     // how long what must happen may take
	polling  = 2 * time.Millisecond // how often it is looked at
)

// await returns when the condition holds, and fails if that takes longer than patience.
func await(ctx context.Context, what string, condition func(ctx context.Context) bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %v: %s", patience, what))
	defer cancel()
	tick := time.NewTicker(polling)
	defer tick.Stop()
	for !condition(ctx) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
	return nil
}
