// Counter is the smallest complete program: three replicas in one process that count together.
package main

import (
	"context"
	"fmt"
	"github.com/smr-go/smr"
	"io"
	"strings"
)

type counter struct{ n int }

func (c *counter) Apply(smr.Op) []byte            { c.n++; return fmt.Append(nil, c.n) }
func (c *counter) Snapshot() (io.WriterTo, error) { return strings.NewReader(fmt.Sprint(c.n)), nil }
func (c *counter) Restore(r io.Reader) error      { _, err := fmt.Fscan(r, &c.n); return err }

func main() {
	ctx, network, members := context.Background(), smr.NewNetwork(), []smr.Member{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	counters, replicas, err := [3]counter{}, [3]*smr.Replica{}, error(nil)
	for i, m := range members {
		config := smr.Config{ID: m.ID, Members: members, StateMachine: &counters[i], Transport: network.Transport(m.ID), Volatile: true}
		if replicas[i], err = smr.Start(config); err != nil {
			panic(err)
		}
	}
	told, err := replicas[0].Propose(ctx, []byte("count"))
	readErr := replicas[2].Read(ctx, smr.Linearizable, func() { fmt.Printf("a was told %s, c reads %d\n", told, counters[2].n) })
	fmt.Println("errors:", err, readErr)
}
