package vsr

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Step lets its caller keep the event on the stack.
func TestStepDoesNotAllocate(t *testing.T) {
	r := member(t, 0)
	hear(r, 1, &Commit{View: 1, Commit: 1, Round: 1})
	now, m := r.now, &Commit{View: 1}
	h := Header{Group: GroupID{8}} // not admitted, because handling the message would allocate an answer
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		r.Step(now, &Receive{From: 1, Header: h, Message: m})
		r.Step(now, &Tick{})
		r.Step(now, &Forget{Request: 9})
		r.Step(now, &ForgetRead{Read: 9})
		r.Step(now, &Handover{To: 1})
		r.Step(now, &Saved{Seq: 1})
		r.Step(now, &DiskFull{})
		r.Step(now, &Compacted{First: 1})
		r.Step(now, &Loaded{Load: Load{For: 1}})
		r.Step(now, &Applied{Op: 1})
		r.Step(now, &SessionOpened{})
		r.Step(now, &SnapshotDamaged{})
		r.Step(now, &ChunkRead{})
		r.Step(now, &ChunksMissing{})
		r.Step(now, &ChunkWritten{})
		r.Step(now, &SnapshotReceived{})
		r.Step(now, &SnapshotTaken{})
	}))
}
