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

// ProcessorTime returns how long this process has run on processors; 0 if that is not known.
func ProcessorTime() time.Duration { return 0 }
