// Idle measures the processor time that three idle kv servers take, as counted by Linux. From the
// repository's root:
//
//	go -C bench run ./idle [-for 20s]
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

func main() {
	dir := flag.String("dir", ".", "parent `directory` of the replicas' temporary directories")
	long := flag.Duration("for", 20*time.Second, "`duration` of the measurement")
	flag.Parse()
	rig.Main(func(ctx context.Context) error {
		if *long < time.Second {
			return fmt.Errorf("-for is %v; the kernel's clock needs at least 1s", *long)
		}
		return rig.InTemp(*dir, func(dir string) error { return run(ctx, dir, *long) })
	})
}

func run(ctx context.Context, dir string, long time.Duration) error {
	facts, err := rig.Facts(dir)
	if err != nil {
		return err
	}
	return rig.WithGroup(ctx, dir, func(g rig.Group) error {
		before, err := processorTimes(g)
		if err != nil {
			return err
		}
		began := time.Now()
		rig.Progress("idle for %v", long)
		select {
		case <-time.After(long):
		case <-ctx.Done():
			return ctx.Err()
		}
		after, err := processorTimes(g)
		if err != nil {
			return err
		}
		fmt.Printf("%s.\n\nThree kv serve processes with default settings, without clients, for %v.\n\n", facts, long)
		return report(g, before, after, time.Since(began))
	})
}

// report writes the share of a core that each process and the whole group took.
func report(g rig.Group, before, after []time.Duration, long time.Duration) error {
	table := rig.Table{{"process", "processor time", "share of a core"}}
	sum := time.Duration(0)
	line := func(name string, d time.Duration) {
		table.Add(name, d.String(), fmt.Sprintf("%.2f%%", 100*d.Seconds()/long.Seconds()))
	}
	for i, p := range g {
		line(p.ID, after[i]-before[i])
		sum += after[i] - before[i]
	}
	line("the group", sum)
	_, err := table.WriteTo(os.Stdout)
	return err
}

// processorTimes returns the processor time that each process has taken since its start.
func processorTimes(g rig.Group) (times []time.Duration, err error) {
	for _, p := range g {
		d, err := processorTime(p.PID())
		if err != nil {
			return nil, err
		}
		times = append(times, d)
	}
	return times, nil
}

const clockTick = 10 * time.Millisecond // unit of the times in /proc, the same on all machines

// processorTime reads utime and stime, fields 14 and 15 of proc(5). Field 2, the program's name in
// parentheses, may contain any characters.
func processorTime(pid int) (time.Duration, error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s has %d fields after the name, fewer than 13: %s", path, len(fields), text)
	}
	ticks := int64(0)
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}
