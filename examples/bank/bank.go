package main

import (
	"context"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/examples/bank/ledger"
)

// Bank is one replica of a replicated ledger, with the ledger's methods and errors. Any other error
// is smr's: errors.Is(err, smr.ErrNotApplied) says that trying again is safe. Its methods may be
// called concurrently.
type Bank struct {
	machine *machine
	replica *smr.Replica
}

// Start starts the replica that cfg describes, with a ledger as its state machine.
func Start(cfg smr.Config) (*Bank, error) {
	m := &machine{ledger.New(nil)}
	cfg.StateMachine = m
	replica, err := smr.Start(cfg)
	return &Bank{m, replica}, err
}

// Open is Ledger.Open on every replica.
func (b *Bank) Open(ctx context.Context, name string) error {
	return b.propose(ctx, command{Method: "Open", To: name})
}

// Deposit is Ledger.Deposit on every replica.
func (b *Bank) Deposit(ctx context.Context, name string, amount int64) error {
	return b.propose(ctx, command{Method: "Deposit", To: name, Amount: amount})
}

// Transfer is Ledger.Transfer on every replica: exactly once, whatever crashes on the way.
func (b *Bank) Transfer(ctx context.Context, from, to string, amount int64) error {
	return b.propose(ctx, command{Method: "Transfer", From: from, To: to, Amount: amount})
}

// Balance returns what the account holds after everything that was acknowledged before the call,
// on whichever replica.
func (b *Bank) Balance(ctx context.Context, name string) (amount int64, err error) {
	readErr := b.replica.Read(ctx, smr.Linearizable, func() { amount, err = b.machine.Balance(name) })
	if readErr != nil {
		return 0, readErr
	}
	return amount, err
}

// Close stops this replica; the others go on as long as they are a majority.
func (b *Bank) Close() error { return b.replica.Close() }

func (b *Bank) propose(ctx context.Context, c command) error {
	result, err := b.replica.Propose(ctx, encode(c))
	if err != nil {
		return err
	}
	return failure(result)
}
