// Package rig contains the code that the benchmarks share: a description of the machine,
// statistics, tables, and a group of kv servers in processes of their own.
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

// Main runs a program until it ends or is interrupted, and exits with status 1 if it fails.
func Main(run func(ctx context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
		os.Exit(1)
	}
}

// Progress reports progress on standard error. Standard output is reserved for the results.
func Progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// InTemp runs f with a new directory below parent, and removes the directory afterwards.
func InTemp(parent string, f func(dir string) error) (err error) {
	dir, err := os.MkdirTemp(parent, "smr-bench-")
	if err != nil {
		return fmt.Errorf("%w; choose a writable directory with -dir", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	return f(dir)
}

const (
	patience = 30 * time.Second     // timeout of await
	polling  = 2 * time.Millisecond // interval at which await checks its condition
)

// await waits until the condition holds. It returns an error if that takes longer than patience.
func await(ctx context.Context, what string, condition func(ctx context.Context) bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("timeout after %v waiting for %s", patience, what))
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
