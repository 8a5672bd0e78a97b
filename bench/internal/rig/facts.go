package rig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

const (
	probes     = 200
	probeBytes = 4096
)

// Facts describes in one line the machine and the file system of dir that the figures come from.
func Facts(dir string) (string, error) {
	times, err := syncTimes(dir)
	if err != nil {
		return "", fmt.Errorf("cannot measure the file system: %w", err)
	}
	return fmt.Sprintf("%s/%s, %d CPUs, GOMAXPROCS %d, %s; %s of 4 KiB, %d times: median %s, p99 %s",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.GOMAXPROCS(0), runtime.Version(),
		syncName, probes, Short(Quantile(times, 0.5)), Short(Quantile(times, 0.99))), nil
}

// syncTimes returns the times that it took to write and sync pages of a file whose space is already
// written.
func syncTimes(dir string) (times []time.Duration, err error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if _, err := f.Write(make([]byte, probes*probeBytes)); err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, err
	}
	page := make([]byte, probeBytes)
	for i := range int64(probes) {
		began := time.Now()
		if _, err := f.WriteAt(page, i*probeBytes); err != nil {
			return nil, err
		}
		if err := datasync(f); err != nil {
			return nil, err
		}
		times = append(times, time.Since(began))
	}
	return times, nil
}
