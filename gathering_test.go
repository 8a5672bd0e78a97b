package smr

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A yield that takes long is followed by a rest, which grows while yields take long: where the program always has more to
// run than processors, the loop goes on without waiting for others. One long yield has no lasting effect.
func TestTheLoopYieldsSeldomWhereThatTakesLong(t *testing.T) {
	g, now := gathering{}, time.Unix(1_000_000, 0)
	yielding, yields := time.Duration(0), 0
	for end := now.Add(time.Hour); now.Before(end); now = now.Add(time.Millisecond) {
		if !now.Before(g.after) {
			g.took(now, 100*time.Millisecond)
			yielding += 100 * time.Millisecond
			yields++
		}
	}
	require.Greater(t, yields, 30)
	require.Less(t, yielding, 5*time.Second)

	g.took(now, yieldLimit)
	g.took(now, 10*time.Millisecond)
	require.Equal(t, now.Add(40*time.Millisecond), g.after)
}
