package smrtest

import (
	"testing"

	"github.com/smr-go/smr"
)

// A ledger without a mistake survives all that the fuzzer does.
func FuzzLedger(f *testing.F) { Fuzz(f, ledgers("")) }

var _ smr.StateMachine = (*ledger)(nil)
