package smrtest

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

// ledgers explores a ledger with that mistake.
func ledgers(bug string) Config[smr.StateMachine] {
	ops := ledgerOps()
	return Config[smr.StateMachine]{
		New:      newLedger(bug),
		Workload: Mix(Command("entry", func(r *rand.Rand) []byte { return ops[r.IntN(len(ops))] })),
		Virtual:  5 * time.Second,
		Runs:     50,
	}
}

// Each mistake is found in a few runs, and told with the operation at which it is made.
func TestExploreFindsTheTen(t *testing.T) {
	rules := map[string]string{
		"result from a field that is not state": "a snapshot holds all that Apply depends on",
		"panic on one op":                       "a state machine does not panic",
	}
	for _, b := range plantedBugs() {
		t.Run(b.name, func(t *testing.T) {
			report := exploring(t, ledgers(b.name))
			require.NotEmpty(t, report, "not found")
			rule, ok := rules[b.name]
			if !ok {
				rule = b.rule
			}
			first, _, _ := strings.Cut(report, "\n\n")
			assert.Regexp(t, "^this rule is broken: "+rule+"\n([a-e]: )?op ", first)
			if b.name != "snapshot that is not frozen" { // there it is whichever changes something first
				assert.Contains(t, first, `, entry "`+strings.Fields(b.at)[0])
			}
			assert.Contains(t, report, "-smrtest.replay=")
		})
	}
}

// Without a mistake the same machine passes.
func TestExploreTheLedger(t *testing.T) {
	assert.Empty(t, exploring(t, ledgers("")))
}
