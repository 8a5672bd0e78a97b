package smrtest_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest"
)

// Three replicas whose transports can be shaken. The others no longer hear the first primary, a,
// and go on without it; when the link is mended, a is one of them again.
func ExampleShake() {
	network := smr.NewNetwork()
	members := []smr.Member{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	shaken, replicas := map[smr.ID]*smrtest.Shaken{}, map[smr.ID]*smr.Replica{}
	for i, m := range members {
		shaken[m.ID] = smrtest.Shake(network.Transport(m.ID), uint64(i))
		r, err := smr.Start(smr.Config{ID: m.ID, Members: members, StateMachine: tally{}, Transport: shaken[m.ID], Volatile: true})
		if err != nil {
			log.Fatal(err)
		}
		defer r.Close()
		replicas[m.ID] = r
	}
	vote := func(at smr.ID) {
		votes, err := replicas[at].Propose(context.Background(), []byte("ann"))
		fmt.Printf("%s %v\n", votes, err)
	}

	vote("a")
	for _, s := range shaken {
		s.Disturb(smrtest.Disturbance{Lose: 0.05, Repeat: 0.05, MaxDelay: 5 * time.Millisecond})
	}
	vote("b")
	shaken["a"].CutTo("b", "c")
	vote("c")
	shaken["a"].Heal()
	vote("a")
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
	// 4 <nil>
}
