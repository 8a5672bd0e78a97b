//go:build !linux

package rig

import (
	"os"
	"os/exec"
	"time"
)

const syncName = "sync"

func datasync(f *os.File) error { return f.Sync() }

func diesWithUs(*exec.Cmd) {}

func loopback() string { return "127.0.0.1" }

// ProcessorTime returns the processor time of this process, or 0 if it is unknown.
func ProcessorTime() time.Duration { return 0 }
