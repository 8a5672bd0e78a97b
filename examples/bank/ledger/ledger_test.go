package ledger

import (
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func balance(t *testing.T, l *Ledger, name string) int64 {
	t.Helper()
	amount, err := l.Balance(name)
	require.NoError(t, err)
	return amount
}

func TestMoneyMovesWhollyOrNotAtAll(t *testing.T) {
	l := New(nil)
	require.NoError(t, l.Open("ann"))
	require.NoError(t, l.Open("bob"))
	require.NoError(t, l.Deposit("ann", 100))
	require.NoError(t, l.Transfer("ann", "bob", 30))
	require.NoError(t, l.Transfer("ann", "ann", 70), "to oneself changes nothing")

	assert.EqualValues(t, 70, balance(t, l, "ann"))
	assert.EqualValues(t, 30, balance(t, l, "bob"))
}

func TestRefusalsChangeNothing(t *testing.T) {
	begin := map[string]int64{"ann": 100, "rich": math.MaxInt64}
	l := New(begin)
	for name, test := range map[string]struct {
		got, want error
	}{
		"open twice":         {l.Open("ann"), ErrExists},
		"deposit to none":    {l.Deposit("eve", 1), ErrNoAccount},
		"deposit nothing":    {l.Deposit("ann", 0), ErrAmount},
		"deposit a debt":     {l.Deposit("ann", -1), ErrAmount},
		"deposit too much":   {l.Deposit("rich", 1), ErrAmount},
		"transfer from none": {l.Transfer("eve", "ann", 1), ErrNoAccount},
		"transfer to none":   {l.Transfer("ann", "eve", 1), ErrNoAccount},
		"transfer a debt":    {l.Transfer("ann", "rich", -1), ErrAmount},
		"transfer too much":  {l.Transfer("ann", "rich", 1), ErrAmount},
		"transfer unfunded":  {l.Transfer("ann", "ann", 101), ErrNoFunds},
	} {
		assert.ErrorIs(t, test.got, test.want, name)
	}
	_, err := l.Balance("eve")
	assert.ErrorIs(t, err, ErrNoAccount)
	assert.Equal(t, begin, l.Balances())
}

func TestBalancesAreCopies(t *testing.T) {
	begin := map[string]int64{"ann": 1}
	l := New(begin)
	begin["ann"] = 2
	l.Balances()["ann"] = 3
	assert.EqualValues(t, 1, balance(t, l, "ann"))
}

func TestConcurrentTransfersKeepTheSum(t *testing.T) {
	l := New(map[string]int64{"ann": 500, "bob": 500})
	var clerks sync.WaitGroup
	for range 4 {
		clerks.Go(func() {
			for i := range int64(100) {
				_ = l.Transfer("ann", "bob", i)
				_ = l.Transfer("bob", "ann", i+1)
			}
		})
	}
	clerks.Wait()
	assert.EqualValues(t, 1000, balance(t, l, "ann")+balance(t, l, "bob"))
}
