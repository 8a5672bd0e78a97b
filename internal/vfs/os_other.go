//go:build !linux

package vfs

import "os"

// datasync syncs the metadata too: on macOS os.File.Sync is F_FULLFSYNC, which alone gets through
// to the disk.
func datasync(f *os.File) error { return f.Sync() }

func reserve(f *os.File, old, size int64) error { return fill(f, old, size) }
