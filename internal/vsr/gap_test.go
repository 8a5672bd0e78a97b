package vsr

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Section 2: the receiver of a Gap that answers a message of an older view enters the view that it names. So the Gap
// waits until that view is durable, unlike one that answers a Prepare of that view.
func TestAGapThatNamesAViewWaitsForIt(t *testing.T) {
	r := member(t, 0)
	receive := func(from Index, m Message) (gaps []Message) {
		header := Header{Group: GroupID{9}, Epoch: 1, Incarnation: threeIDs[from], Start: 1}
		r.Step(r.now, &Receive{From: from, Header: header, Message: m})
		for _, out := range r.Ready(r.now).Messages {
			if _, ok := out.Message.(*Gap); ok {
				gaps = append(gaps, out.Message)
			}
		}
		return gaps
	}
	assert.Len(t, receive(1, &Prepare{View: 1, Prev: stampOf(1, 1, 7), Commit: 1}), 1, "b is in view 1")
	assert.Empty(t, receive(2, &Commit{View: 0, Commit: 1, Round: 1}), "view 1 is not durable")
	r.Step(r.now, &Saved{Seq: r.saves.issuedSeq})
	assert.Len(t, r.Ready(r.now).Messages, 1)
}
