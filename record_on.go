//go:build smr_record

package smr

import (
	"os"

	"github.com/smr-go/smr/internal/record"
	"github.com/smr-go/smr/internal/shell"
)

// coreRecorder returns a recorder that creates a file in the directory named by the environment variable SMR_RECORD, or
// nil if it is not set. Package internal/record defines the format and replays the files.
func coreRecorder() shell.Recorder {
	if dir := os.Getenv("SMR_RECORD"); dir != "" {
		return record.NewFile(dir)
	}
	return nil
}
