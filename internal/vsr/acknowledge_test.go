package vsr

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// N3: a backup acknowledges the entries that it has checked against this view's primary, not its
// whole log.
func TestAcknowledgesWhatItChecked(t *testing.T) {
	r := member(t, 0)
	r.adoptLog([]Entry{{Op: 2, Epoch: 1, Kind: Command}, {Op: 3, Epoch: 1, Kind: Command}})
	finishTurn(r)
	sent := hear(r, 1, &Prepare{View: 1, Prev: stampOf(1, 0, 1), Commit: 1})
	require.Contains(t, sent, &PrepareOK{View: 1, Op: 1})
	sent = hear(r, 1, &Prepare{View: 1, Prev: stampOf(1, 0, 2), Commit: 3})
	assert.Contains(t, sent, &PrepareOK{View: 1, Op: 2})
	assert.EqualValues(t, 2, r.commit, "N5: op 3 is not checked")
}

// N4: an acknowledgement counts in its own view only.
func TestCountsAcknowledgementsOfItsViewOnly(t *testing.T) {
	r := member(t, 1)
	leadNext(t, r)
	_, err := proposeTo(r, r.now, nil)
	require.NoError(t, err)
	finishTurn(r)
	last := r.log.last.Op
	require.Less(t, r.commit, last)
	hear(r, 1, &PrepareOK{View: 0, Op: last})
	assert.Less(t, r.commit, last)
	hear(r, 1, &PrepareOK{View: 3, Op: last})
	assert.Equal(t, last, r.commit)
}

// N4: an entry of this view commits the entries of older views; counting copies never does.
func TestCountsEntriesOfItsViewOnly(t *testing.T) {
	r := member(t, 1)
	r.appendLog(&Entry{Op: 2, Epoch: 1, Kind: Command})
	finishTurn(r)
	hear(r, 1, &DoViewChange{View: 3, Last: stampOf(1, 0, 1), Commit: 1, First: 1})
	require.True(t, r.isPrimary())
	require.Equal(t, stampOf(1, 3, 3), r.log.last)
	hear(r, 1, &PrepareOK{View: 3, Op: 2})
	assert.EqualValues(t, 1, r.commit, "two hold op 2, which is of view 0")
	hear(r, 1, &PrepareOK{View: 3, Op: 3})
	assert.EqualValues(t, 3, r.commit)
}
