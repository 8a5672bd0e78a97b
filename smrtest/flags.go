package smrtest

import (
	"flag"
	"regexp"
	"runtime/debug"
	"strings"
	"time"
)

// Flags in flag.CommandLine: only tests import this package.
var (
	seedFlag   = flag.Uint64("smrtest.seed", 0, "the first seed of smrtest.Explore; 0: from the test's name, or from the clock with -smrtest.time")
	runsFlag   = flag.Int("smrtest.runs", 0, "the number of runs of smrtest.Explore; 0: Config.Runs")
	timeFlag   = flag.Duration("smrtest.time", 0, "how long smrtest.Explore tries new seeds; 0: Config.Runs of them")
	shrinkFlag = flag.Duration("smrtest.shrink", 20*time.Second, "the most time that smrtest.Explore spends on simplifying a failing run")
	replayFlag = flag.String("smrtest.replay", "", "a file with a schedule that smrtest.Explore plays, and nothing else")
)

// command returns the command that runs one test, from anywhere in its module.
func command(test string, args ...string) string {
	words := []string{"go test"}
	if b, ok := debug.ReadBuildInfo(); ok && strings.HasSuffix(b.Path, ".test") {
		words = append(words, strings.TrimSuffix(b.Path, ".test"))
	}
	words = append(words, "-run '^"+strings.ReplaceAll(regexp.QuoteMeta(test), "/", "$/^")+"$'")
	return strings.Join(append(words, args...), " ")
}

// given reports whether a flag exists and differs from its default.
func given(name string) bool {
	f := flag.Lookup(name)
	return f != nil && f.Value.String() != f.DefValue
}
