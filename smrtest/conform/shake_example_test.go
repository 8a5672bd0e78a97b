package conform_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest/conform"
)

// Three replicas whose transports can be shaken. The others no longer hear the first primary, a,
// and go on without it; when the link is mended, a is one of them again.
func ExampleShake() {
	network := smr.NewNetwork()
	members := []smr.Member{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	shaken, replicas := map[smr.ID]*conform.Shaken{}, map[smr.ID]*smr.Replica{}
	for i, m := range members {
		shaken[m.ID] = conform.Shake(network.Transport(m.ID), uint64(i))
		r, err := smr.Start(smr.Config{ID: m.ID, Members: members, StateMachine: newCounter(), Transport: shaken[m.ID], Volatile: true})
		if err != nil {
			log.Fatal(err)
		}
		defer r.Close()
		replicas[m.ID] = r
	}
	inc := func(at smr.ID) {
		count, err := replicas[at].Propose(context.Background(), []byte("inc"))
		fmt.Printf("%s %v\n", count, err)
	}

	inc("a")
	for _, s := range shaken {
		s.Disturb(conform.Disturbance{Lose: 0.05, Repeat: 0.05, MaxDelay: 5 * time.Millisecond})
	}
	inc("b")
	shaken["a"].CutTo("b", "c")
	inc("c")
	shaken["a"].Heal()
	inc("a")
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
	// 4 <nil>
}
