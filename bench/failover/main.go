// Failover measures for how long a group of three kv servers takes no write when its primary goes:
// killed without a word, and stopped in order. From the repository's root:
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

// ending is a way for the primary to go.
type ending struct {
	signal syscall.Signal
	name   string
	code   int // the exit status that it should have
}

var endings = []ending{
	{syscall.SIGKILL, "SIGKILL", -1},
	{syscall.SIGTERM, "SIGTERM, in order", 0},
}

func main() {
	dir := flag.String("dir", ".", "`directory` below which the replicas keep theirs, for a while")
	runs := flag.Int("runs", 20, "how often the primary goes, each way")
	settle := flag.Duration("write", time.Second, "a client writes for one to two times this before the primary goes")
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
	table := rig.Table{{"the primary gets", "times", "median", "p90", "least", "most"}}
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
	fmt.Printf("%s.\n\nThree kv serve processes on their defaults, TCP on the loopback, directories; a client writes. Time from the signal to the first write\n"+
		"that another replica accepts in a later view.\n\n", facts)
	_, err = table.WriteTo(os.Stdout)
	return err
}

// repeat ends primaries in one way, as often as asked, and returns how long each takeover took.
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
