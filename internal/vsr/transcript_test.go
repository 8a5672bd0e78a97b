package vsr

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the transcripts; review the diff as if it were code")

// TestTranscripts runs the transcripts in testdata: commands, a line of dashes, and the resulting
// output of the cores. The commands are described in commands_test.go.
func TestTranscripts(t *testing.T) {
	for _, path := range transcripts(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			got := runTranscript(t, string(text))
			if *rewrite {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
				return
			}
			require.Equal(t, string(text), got)
		})
	}
}

func transcripts(t *testing.T) []string {
	paths, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	return paths
}

// runTranscript returns the transcript with the current output of its commands.
func runTranscript(t *testing.T, text string) string {
	var b strings.Builder
	s := &script{}
	for _, part := range splitTranscript(text) {
		b.WriteString(part.text)
		if !part.commands {
			continue
		}
		b.WriteString("----\n")
		b.WriteString(s.run(t, part.text))
		b.WriteByte('\n')
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

type part struct {
	text     string
	commands bool // otherwise comments and blank lines
}

// splitTranscript omits the previous output, from the dashes to the next blank line.
func splitTranscript(text string) (parts []part) {
	var lines strings.Builder
	output := false
	for line := range strings.Lines(strings.TrimRight(text, "\n") + "\n\n") {
		switch blank := strings.TrimSpace(line) == ""; {
		case output:
			output = !blank
		case strings.HasPrefix(line, "----"):
			parts = append(parts, part{lines.String(), true})
			lines.Reset()
			output = true
		case blank, strings.HasPrefix(line, "#"):
			lines.WriteString(line)
			if blank {
				parts = append(parts, part{lines.String(), false})
				lines.Reset()
			}
		default:
			lines.WriteString(line)
		}
	}
	return parts
}
