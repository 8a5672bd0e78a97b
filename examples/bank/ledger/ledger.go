// Package ledger keeps the accounts of a bank in memory. It knows nothing of replication.
package ledger

import (
	"errors"
	"maps"
	"math"
	"sync"
)

// What may be wrong with a request. None of them has changed anything.
var (
	ErrExists    = errors.New("the account exists already")
	ErrNoAccount = errors.New("no such account")
	ErrNoFunds   = errors.New("the account does not hold as much")
	ErrAmount    = errors.New("the amount is not positive, or too large for the account")
)

// Ledger holds accounts by name and their balances in cents, never below zero. Its methods may be
// called concurrently.
type Ledger struct {
	mu       sync.Mutex
	balances map[string]int64
}

// New returns a ledger that begins with a copy of the given balances; nil is a ledger without
// accounts.
func New(balances map[string]int64) *Ledger {
	l := &Ledger{balances: map[string]int64{}}
	maps.Copy(l.balances, balances)
	return l
}

// Open opens an empty account. It fails with ErrExists if there is one of that name.
func (l *Ledger) Open(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.balances[name]; ok {
		return ErrExists
	}
	l.balances[name] = 0
	return nil
}

// Deposit puts amount into the account. It fails with ErrAmount or ErrNoAccount.
func (l *Ledger) Deposit(name string, amount int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	balance, ok := l.balances[name]
	switch {
	case !ok:
		return ErrNoAccount
	case amount <= 0 || balance > math.MaxInt64-amount:
		return ErrAmount
	}
	l.balances[name] += amount
	return nil
}

// Transfer moves amount from one account to another, wholly or not at all. It fails with
// ErrAmount, ErrNoAccount or ErrNoFunds.
func (l *Ledger) Transfer(from, to string, amount int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	source, okFrom := l.balances[from]
	target, okTo := l.balances[to]
	switch {
	case !okFrom || !okTo:
		return ErrNoAccount
	case amount <= 0 || from != to && target > math.MaxInt64-amount:
		return ErrAmount
	case source < amount:
		return ErrNoFunds
	}
	l.balances[from] -= amount
	l.balances[to] += amount
	return nil
}

// Balance returns what the account holds. It fails with ErrNoAccount.
func (l *Ledger) Balance(name string) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	balance, ok := l.balances[name]
	if !ok {
		return 0, ErrNoAccount
	}
	return balance, nil
}

// Balances returns a copy of all balances, the caller's to keep.
func (l *Ledger) Balances() map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.balances)
}
