//go:build !linux

package vfs

import "os"

// datasync syncs the metadata too. On macOS, os.File.Sync uses F_FULLFSYNC, the only call that
// makes data reach the disk.
func datasync(f *os.File) error { return f.Sync() }

func reserve(f *os.File, old, size int64) error { return fill(f, old, size) }
