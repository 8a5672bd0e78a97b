// Throughput measures how many operations a group of three commits per second, their latency and
// their cost. The whole group runs in this process, either in memory or over TCP on the loopback
// interface with directories and fdatasync. From the repository's root:
//
//	go -C bench run ./throughput [-on memory,disk] [-proposers 1,128,1024] [-at primary|all]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/smr-go/smr/bench/internal/rig"
)

type options struct {
	dir           string
	on, proposers string // comma-separated lists
	at            string
	warmup, long  time.Duration
	repeat        int
}

func main() {
	var o options
	flag.StringVar(&o.dir, "dir", ".", "parent `directory` of the replicas' temporary directories")
	flag.StringVar(&o.on, "on", "memory,disk", "memory (volatile replicas on smr.Network), disk (TCP on the loopback interface and directories), or memory,disk")
	flag.StringVar(&o.proposers, "proposers", "1,128,1024", "comma-separated numbers of concurrent callers of Propose")
	flag.StringVar(&o.at, "at", "primary", "where they propose: primary, or all to spread them over the three replicas")
	flag.DurationVar(&o.warmup, "warmup", time.Second, "`duration` of a run before measurement begins")
	flag.DurationVar(&o.long, "for", 5*time.Second, "`duration` of the measurement in a run")
	flag.IntVar(&o.repeat, "repeat", 3, "number of runs per line, each with a new group")
	flag.Parse()
	rig.Main(func(ctx context.Context) error { return run(ctx, o) })
}

func run(ctx context.Context, o options) error {
	loads, err := o.loads()
	if err != nil {
		return err
	}
	return rig.InTemp(o.dir, func(dir string) error {
		facts, err := rig.Facts(dir)
		if err != nil {
			return err
		}
		table, err := measureAll(ctx, dir, loads, o.repeat)
		if err != nil {
			return err
		}
		fmt.Printf("%s.\n\nGroups of three in one process, operations of %d bytes, proposers at %s. Median of %d runs of %v (and the range).\n"+
			"Processor time and allocations are those of the whole process: all three replicas and the proposers.\n\n", facts, bodySize, o.where(), o.repeat, o.long)
		_, err = table.WriteTo(os.Stdout)
		return err
	})
}

func (o options) where() string {
	if o.at == "all" {
		return "all three replicas"
	}
	return "the primary"
}

// loads returns the loads to measure, one for each line of the table.
func (o options) loads() (loads []load, err error) {
	if o.at != "primary" && o.at != "all" {
		return nil, fmt.Errorf("-at is %q; use primary or all", o.at)
	}
	if o.repeat < 1 || o.long <= 0 {
		return nil, fmt.Errorf("-repeat is %d and -for %v; both must be above 0", o.repeat, o.long)
	}
	for on := range strings.SplitSeq(o.on, ",") {
		setting, ok := settings[on]
		if !ok {
			return nil, fmt.Errorf("-on has %q; use memory, disk or memory,disk", on)
		}
		for word := range strings.SplitSeq(o.proposers, ",") {
			n, err := strconv.Atoi(word)
			if err != nil || n < 1 {
				return nil, fmt.Errorf("-proposers has %q; use comma-separated numbers above 0", word)
			}
			loads = append(loads, load{setting, n, o.at == "all", o.warmup, o.long})
		}
	}
	return loads, nil
}

func measureAll(ctx context.Context, dir string, loads []load, repeat int) (rig.Table, error) {
	table := rig.Table{{"group", "proposers", "operations/s", "p50", "p99", "processor time/op", "allocations/op", "bytes/op"}}
	for _, l := range loads {
		var results []result
		for i := range repeat {
			r, err := l.measure(ctx, dir)
			if err != nil {
				return nil, fmt.Errorf("%s, %d proposers: %w", l.setting.name, l.proposers, err)
			}
			rig.Progress("%s, %d proposers, run %d of %d: %.0f operations/s, views %d to %d", l.setting.name, l.proposers, i+1, repeat, r.rate, r.first, r.last)
			results = append(results, r)
		}
		table.Add(row(l, results)...)
	}
	return table, nil
}

func row(l load, results []result) []string {
	return []string{
		l.setting.name, rig.Count(float64(l.proposers)),
		rig.Spread(each(results, func(r result) float64 { return r.rate }), rig.Count),
		rig.Spread(each(results, func(r result) time.Duration { return r.p50 }), rig.Short),
		rig.Spread(each(results, func(r result) time.Duration { return r.p99 }), rig.Short),
		rig.Spread(each(results, func(r result) time.Duration { return r.processor }), rig.Short),
		fmt.Sprintf("%.1f", rig.Quantile(each(results, func(r result) float64 { return r.allocations }), 0.5)),
		rig.Count(rig.Quantile(each(results, func(r result) float64 { return r.bytes }), 0.5)),
	}
}

func each[T any](results []result, field func(result) T) (values []T) {
	for _, r := range results {
		values = append(values, field(r))
	}
	return values
}
