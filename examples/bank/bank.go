package main

import (
	"context"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/examples/bank/ledger"
)

// Bank is one replica of a replicated ledger, with the methods and errors of a ledger. Other errors come
// from smr: if errors.Is(err, smr.ErrNotApplied), it is safe to call the method again. Its methods may be
// called concurrently.
type Bank struct {
	machine *machine
	replica *smr.Replica
}

// Start starts a replica with the configuration cfg and a ledger as its state machine.
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

// Transfer is Ledger.Transfer on every replica. It takes effect once, even if replicas crash.
func (b *Bank) Transfer(ctx context.Context, from, to string, amount int64) error {
	return b.propose(ctx, command{Method: "Transfer", From: from, To: to, Amount: amount})
}

// Balance returns the balance of an account. It includes every change that was acknowledged before the
// call, on any replica.
func (b *Bank) Balance(ctx context.Context, name string) (amount int64, err error) {
	readErr := b.replica.Read(ctx, smr.Linearizable, func() { amount, err = b.machine.Balance(name) })
	if readErr != nil {
		return 0, readErr
	}
	return amount, err
}

// Close stops this replica. The others continue as long as they are a majority.
func (b *Bank) Close() error { return b.replica.Close() }

func (b *Bank) propose(ctx context.Context, c command) error {
	result, err := b.replica.Propose(ctx, encode(c))
	if err != nil {
		return err
	}
	return failure(result)
}
