package main

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/examples/bank/ledger"
	"github.com/smr-go/smr/smrtest"
)

// apply applies commands in order and returns the result of the last one.
func apply(m *machine, commands ...command) (err error) {
	for i, c := range commands {
		err = failure(m.Apply(smr.Op{Number: uint64(i), Body: encode(c)}))
	}
	return err
}

func TestBankIsAStateMachine(t *testing.T) {
	smrtest.TestStateMachine(t, func() smr.StateMachine { return &machine{ledger.New(nil)} }, [][]byte{
		encode(command{Method: "Open", To: "ann"}),
		encode(command{Method: "Open", To: "bob"}),
		encode(command{Method: "Deposit", To: "ann", Amount: 100}),
		encode(command{Method: "Transfer", From: "ann", To: "bob", Amount: 30}),
		encode(command{Method: "Transfer", From: "ann", To: "bob", Amount: 60}),
		encode(command{Method: "Open", To: "cem"}),
		encode(command{Method: "Transfer", From: "bob", To: "cem", Amount: 20}),
	})
}

func TestResultsCarryTheLedgersErrors(t *testing.T) {
	m := &machine{ledger.New(map[string]int64{"ann": 100, "bob": 0})}
	pay := func(to string, amount int64) command {
		return command{Method: "Transfer", From: "ann", To: to, Amount: amount}
	}
	assert.NoError(t, apply(m, pay("bob", 30)))
	assert.Equal(t, ledger.ErrNoFunds, apply(m, pay("bob", 300)))
	assert.Equal(t, ledger.ErrNoAccount, apply(m, pay("eve", 1)))
	assert.Equal(t, ledger.ErrAmount, apply(m, command{Method: "Deposit", To: "ann", Amount: -5}))
	assert.Equal(t, ledger.ErrExists, apply(m, command{Method: "Open", To: "ann"}))
	assert.Equal(t, map[string]int64{"ann": 70, "bob": 30}, m.Balances())
}

func TestUnknownCommandsAreRefusedAlike(t *testing.T) {
	m := &machine{ledger.New(nil)}
	assert.Equal(t, errCommand, apply(m, command{Method: "Rob"}))
	assert.Equal(t, errCommand, failure(m.Apply(smr.Op{Body: []byte{0xc1}})))
	assert.Equal(t, errCommand, failure(nil))
	assert.Equal(t, errCommand, failure([]byte{200}))
}

func TestEveryErrorOfTheLedgerHasAPlace(t *testing.T) {
	for i, err := range failures {
		assert.Equal(t, err, failure([]byte{byte(i)}))
	}
}

func TestSnapshotIsOfItsMoment(t *testing.T) {
	m := &machine{ledger.New(nil)}
	require.NoError(t, apply(m, command{Method: "Open", To: "ann"}, command{Method: "Deposit", To: "ann", Amount: 7}))
	frozen, err := m.Snapshot()
	require.NoError(t, err)
	require.NoError(t, apply(m, command{Method: "Deposit", To: "ann", Amount: 1}))

	var written bytes.Buffer
	n, err := frozen.WriteTo(&written)
	require.NoError(t, err)
	assert.EqualValues(t, written.Len(), n)

	restored := &machine{ledger.New(map[string]int64{"old": 1})}
	require.NoError(t, restored.Restore(&written))
	assert.Equal(t, map[string]int64{"ann": 7}, restored.Balances())
	assert.Error(t, restored.Restore(errReader{}))
}

// errReader is an io.Reader that fails.
type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("unreadable") }

func Example_main() {
	main()
	// Output: ann has 70, bob has 30
}
