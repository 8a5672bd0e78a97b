package vsr

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// 11.10: a member that is sent entries again, with a new one after them, keeps the new one and not the message.
func TestEntriesThatAreSentAgainAreNotKept(t *testing.T) {
	r := member(t, 0)
	message := []byte("onetwo")
	one, two := Entry{Op: 2, Epoch: 1, View: 1, Kind: Command, Body: message[:3]}, Entry{Op: 3, Epoch: 1, View: 1, Kind: Command, Body: message[3:]}
	hear(r, 1, &Prepare{View: 1, Prev: stampOf(1, 0, 1), Entries: []Entry{one}})
	hear(r, 1, &Prepare{View: 1, Prev: stampOf(1, 0, 1), Entries: []Entry{one, two}})
	kept := r.log.entries(2, 3, MaxBatch)
	require.Equal(t, []Entry{one, two}, kept)
	require.NotSame(t, &two.Body[0], &kept[1].Body[0])
}
