//go:build !smr_record

package smr

import "github.com/smr-go/smr/internal/shell"

// coreRecorder returns nil: only a build with the tag smr_record records the inputs of a replica's core.
func coreRecorder() shell.Recorder { return nil }
