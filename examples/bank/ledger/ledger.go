// Package ledger keeps the accounts of a bank in memory. It does not know about replication.
package ledger

import (
	"errors"
	"maps"
	"math"
	"sync"
)

// The errors of a Ledger. A method that returns one has changed nothing.
var (
	ErrExists    = errors.New("the account exists already")
	ErrNoAccount = errors.New("no such account")
	ErrNoFunds   = errors.New("the account does not hold as much")
	ErrAmount    = errors.New("the amount is not positive, or too large for the account")
)

// Ledger holds the balances of named accounts, in cents. They are never negative. Its methods may be called
// concurrently.
type Ledger struct {
	mu       sync.Mutex
	balances map[string]int64
}

// New returns a ledger with a copy of the given balances. Nil balances make a ledger without accounts.
func New(balances map[string]int64) *Ledger {
	l := &Ledger{balances: map[string]int64{}}
	maps.Copy(l.balances, balances)
	return l
}

// Open opens an empty account. It returns ErrExists if the account exists.
func (l *Ledger) Open(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.balances[name]; ok {
		return ErrExists
	}
	l.balances[name] = 0
	return nil
}

// Deposit adds amount to the balance of an account. It returns ErrAmount or ErrNoAccount if it fails.
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

// Transfer moves amount from one account to another. It returns ErrAmount, ErrNoAccount or ErrNoFunds if it
// fails.
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

// Balance returns the balance of an account. It returns ErrNoAccount if the account does not exist.
func (l *Ledger) Balance(name string) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	balance, ok := l.balances[name]
	if !ok {
		return 0, ErrNoAccount
	}
	return balance, nil
}

// Balances returns a copy of all balances.
func (l *Ledger) Balances() map[string]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.balances)
}
