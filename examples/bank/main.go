// Bank replicates an ordinary ledger. Package ledger is the original service, machine.go makes it a state
// machine, and bank.go provides its methods on the replicated ledger. This file moves some money around.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/examples/bank/ledger"
)

func main() {
	banks, err := open("north", "south", "east")
	if err == nil {
		err = trade(context.Background(), banks)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// open starts a group of banks in this process, with the network and the logs in memory.
func open(ids ...smr.ID) (banks []*Bank, err error) {
	network := smr.NewNetwork()
	var members []smr.Member
	for _, id := range ids {
		members = append(members, smr.Member{ID: id})
	}
	for _, id := range ids {
		bank, err := Start(smr.Config{ID: id, Members: members, Transport: network.Transport(id), Volatile: true})
		if err != nil {
			return nil, err
		}
		banks = append(banks, bank)
	}
	return banks, nil
}

// trade uses one bank, closes it, and continues on another, which has all the changes.
func trade(ctx context.Context, banks []*Bank) error {
	err := errors.Join(
		banks[0].Open(ctx, "ann"),
		banks[0].Open(ctx, "bob"),
		banks[0].Deposit(ctx, "ann", 100),
		banks[1].Transfer(ctx, "ann", "bob", 30),
		banks[0].Close(),
	)
	if err != nil {
		return err
	}
	if err := banks[1].Transfer(ctx, "ann", "bob", 300); !errors.Is(err, ledger.ErrNoFunds) {
		return fmt.Errorf("ann paid 300 of 70: %w", err)
	}
	ann, err := banks[1].Balance(ctx, "ann")
	if err != nil {
		return err
	}
	bob, err := banks[2].Balance(ctx, "bob")
	fmt.Printf("ann has %d, bob has %d\n", ann, bob)
	return err
}
