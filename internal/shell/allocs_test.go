//go:build !race

package shell

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// The shell allocates nothing for a proposal. The core allocates two things: the request and the save.
// The race detector adds to that, since it makes a sync.Pool lose items.
func TestAProposalAllocatesLittle(t *testing.T) {
	assert.LessOrEqual(t, testing.AllocsPerRun(1000, oneProposal(t)), 2.0)
}
