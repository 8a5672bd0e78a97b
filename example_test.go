package smr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/smr-go/smr"
)

// motto is a state machine whose state is a text. An operation replaces it, and the result is the old text.
type motto struct{ text string }

func (m *motto) Apply(op smr.Op) []byte {
	before := m.text
	m.text = string(op.Body)
	return []byte(before)
}

func (m *motto) Snapshot() (io.WriterTo, error) { return strings.NewReader(m.text), nil }

func (m *motto) Restore(r io.Reader) error {
	b, err := io.ReadAll(r)
	m.text = string(b)
	return err
}

// startGroup starts three replicas in this process.
func startGroup() (mottos map[smr.ID]*motto, replicas map[smr.ID]*smr.Replica) {
	network := smr.NewNetwork()
	members := []smr.Member{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	mottos, replicas = map[smr.ID]*motto{}, map[smr.ID]*smr.Replica{}
	for _, m := range members {
		mottos[m.ID] = &motto{}
		replica, err := smr.Start(smr.Config{ID: m.ID, Members: members, StateMachine: mottos[m.ID],
			Transport: network.Transport(m.ID), Volatile: true})
		if err != nil {
			log.Fatal(err)
		}
		replicas[m.ID] = replica
	}
	return mottos, replicas
}

func stop(replicas map[smr.ID]*smr.Replica) {
	for _, r := range replicas {
		r.Close()
	}
}

// A group of one replica. When it is started again, it continues with the state in its directory.
func ExampleStart() {
	dir, err := os.MkdirTemp("", "smr")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	for range 2 {
		state := &motto{}
		replica, err := smr.Start(smr.Config{ID: "a", Members: []smr.Member{{ID: "a"}}, StateMachine: state, Dir: dir})
		if err != nil {
			log.Fatal(err)
		}
		before, err := replica.Propose(ctx, []byte("per aspera ad astra"))
		fmt.Printf("%q %v\n", before, err)
		replica.Close()
	}
	// Output:
	// "" <nil>
	// "per aspera ad astra" <nil>
}

// Three replicas in one process, for tests and to see how smr works.
func ExampleNewNetwork() {
	network := smr.NewNetwork()
	members := []smr.Member{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	var replicas []*smr.Replica
	for _, m := range members {
		replica, err := smr.Start(smr.Config{ID: m.ID, Members: members, StateMachine: &motto{},
			Transport: network.Transport(m.ID), Volatile: true})
		if err != nil {
			log.Fatal(err)
		}
		defer replica.Close()
		replicas = append(replicas, replica)
	}
	_, err := replicas[0].Propose(context.Background(), []byte("dum spiro spero"))
	fmt.Println(err, replicas[0].Status().Primary)
	// Output: <nil> a
}

// Every replica accepts operations. The errors show whether it is safe to try again.
func ExampleReplica_Propose() {
	_, replicas := startGroup()
	defer stop(replicas)
	ctx := context.Background()
	replicas["a"].Propose(ctx, []byte("festina lente"))
	before, err := replicas["c"].Propose(ctx, []byte("carpe diem"))
	fmt.Printf("%s, %v\n", before, err)
	_, err = replicas["b"].Propose(ctx, make([]byte, 2<<20))
	fmt.Println(errors.Is(err, smr.ErrTooLarge), errors.Is(err, smr.ErrNotApplied), errors.Is(err, smr.ErrUnknown))
	// Output:
	// festina lente, <nil>
	// true true false
}

// A linearizable read on any replica sees every operation that was acknowledged before.
func ExampleReplica_Read() {
	mottos, replicas := startGroup()
	defer stop(replicas)
	ctx := context.Background()
	replicas["a"].Propose(ctx, []byte("sapere aude"))
	err := replicas["b"].Read(ctx, smr.Linearizable, func() { fmt.Println(mottos["b"].text) })
	fmt.Println(err)
	// Output:
	// sapere aude
	// <nil>
}

// With the number of its last write, a caller sees its own writes on any replica. The read needs no messages.
func ExampleAtLeast() {
	mottos, replicas := startGroup()
	defer stop(replicas)
	ctx := context.Background()
	replicas["a"].Propose(ctx, []byte("alea iacta est"))
	written := replicas["a"].Status().Applied
	err := replicas["c"].Read(ctx, smr.AtLeast(written), func() { fmt.Println(mottos["c"].text) })
	fmt.Println(err)
	// Output:
	// alea iacta est
	// <nil>
}

// The role of primary passes to another replica without a pause that callers would notice.
func ExampleReplica_Handover() {
	_, replicas := startGroup()
	defer stop(replicas)
	ctx := context.Background()
	replicas["a"].Propose(ctx, []byte("do ut des"))
	err := replicas["a"].Handover(ctx, "c")
	fmt.Println(err, replicas["a"].Status().Primary)
	// Output: <nil> c
}

// Watch follows the status of a replica, here until its group has a primary.
func ExampleReplica_Watch() {
	_, replicas := startGroup()
	defer stop(replicas)
	for s := range replicas["b"].Watch(context.Background()) {
		if s.Phase == smr.Normal {
			fmt.Println("primary:", s.Primary)
			break
		}
	}
	// Output: primary: a
}
