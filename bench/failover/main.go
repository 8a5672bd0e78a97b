// Failover measures how long a group of three kv servers accepts no write when its primary ends:
// killed without warning, or shut down properly. From the repository's root:
//
//	go -C bench run ./failover [-runs 20]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/smr-go/smr/bench/internal/rig"
)

// ending is a way to end the primary.
type ending struct {
	signal syscall.Signal
	name   string
	code   int // the expected exit status
}

var endings = []ending{
	{syscall.SIGKILL, "SIGKILL", -1},
	{syscall.SIGTERM, "SIGTERM (orderly shutdown)", 0},
}

func main() {
	dir := flag.String("dir", ".", "parent `directory` of the replicas' temporary directories")
	runs := flag.Int("runs", 20, "number of times the primary is ended in each way")
	settle := flag.Duration("write", time.Second, "a client writes for one to two times this `duration` before the primary ends")
	flag.Parse()
	rig.Main(func(ctx context.Context) error {
		if *runs < 1 || *settle <= 0 {
			return fmt.Errorf("-runs is %d and -write %v; both must be above 0", *runs, *settle)
		}
		return rig.InTemp(*dir, func(dir string) error { return run(ctx, dir, *runs, *settle) })
	})
}

func run(ctx context.Context, dir string, runs int, settle time.Duration) error {
	facts, err := rig.Facts(dir)
	if err != nil {
		return err
	}
	table := rig.Table{{"signal to the primary", "runs", "median", "p90", "min", "max"}}
	err = rig.WithGroup(ctx, dir, func(g rig.Group) error {
		for _, e := range endings {
			took, err := repeat(ctx, g, e, runs, settle)
			if err != nil {
				return err
			}
			table.Add(e.name, strconv.Itoa(runs), rig.Short(rig.Quantile(took, 0.5)), rig.Short(rig.Quantile(took, 0.9)),
				rig.Short(slices.Min(took)), rig.Short(slices.Max(took)))
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("%s.\n\nThree kv serve processes with default settings, TCP on the loopback interface and directories; a client writes. Time from the signal to the first write\n"+
		"that another replica accepts in a later view.\n\n", facts)
	_, err = table.WriteTo(os.Stdout)
	return err
}

// repeat ends primaries in one way, runs times, and returns the duration of each takeover.
func repeat(ctx context.Context, g rig.Group, e ending, runs int, settle time.Duration) (took []time.Duration, err error) {
	for i := range runs {
		d, err := trial(ctx, g, e, settle)
		if err != nil {
			return nil, fmt.Errorf("%s, run %d of %d: %w", e.name, i+1, runs, err)
		}
		rig.Progress("%s, run %d of %d: %s", e.name, i+1, runs, rig.Short(d))
		took = append(took, d)
	}
	return took, nil
}
