package vsr

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// X2: requests whose results may find the window full wait. The first never waits, because the floor rises only once it is
// done; nor does one that was sent before, because its result counts already.
func TestRequestsWaitForRoomForTheirResults(t *testing.T) {
	r := member(t, 1)
	r.requests.floor, r.requests.nextToSend = 1, 1
	x := &r.requests.results
	for range 5 {
		x.sizes = append(x.sizes, unsent)
	}
	x.typical = r.resultWindow()/2 + 1
	require.True(t, r.resultFits(1))
	require.True(t, r.resultFits(2), "one of the usual size fits")
	x.sent(0)
	require.False(t, r.resultFits(2))
	x.sent(1)
	require.True(t, r.resultFits(2), "it was sent before")
	x.learn(1, r.resultWindow())
	require.True(t, r.resultFits(1), "it is the first, though the result of the second fills the window")
	require.False(t, r.resultFits(3))
	x.drop(2)
	r.requests.floor = 3
	x.typical = r.resultWindow() + 1
	require.True(t, r.resultFits(3), "it is the first, however large results are")
	require.False(t, r.resultFits(4))
	require.Zero(t, x.kept+x.open)
}
