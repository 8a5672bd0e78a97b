package main

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestSinkWritesInOrder(t *testing.T) {
	var out strings.Builder
	s := newSink(&out)
	io.WriteString(s, "one ")
	io.WriteString(s, "two")
	s.flush()
	require.Equal(t, "one two", out.String())
}

// Nobody reads standard error. The program goes on, and ends when it is asked to.
func TestABlockedSinkBlocksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		s := newSink(w)
		for range 2 * sinkWrites {
			n, err := io.WriteString(s, "line")
			require.Equal(t, 4, n)
			require.NoError(t, err)
		}
		s.flush()
		r.Close() // lets the goroutine go on
		s.flush()
	})
}
