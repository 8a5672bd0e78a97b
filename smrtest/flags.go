package smrtest

import (
	"flag"
	"regexp"
	"runtime/debug"
	"strings"
	"time"
)

// The flags stand in flag.CommandLine, as this package is for tests alone.
var (
	seedFlag   = flag.Uint64("smrtest.seed", 0, "the first seed that smrtest.Explore tries; 0: by the test's name, or by the clock with -smrtest.time")
	runsFlag   = flag.Int("smrtest.runs", 0, "how many runs smrtest.Explore tries; 0: as the test says")
	timeFlag   = flag.Duration("smrtest.time", 0, "how long smrtest.Explore tries new seeds; 0: as many as the test says")
	shrinkFlag = flag.Duration("smrtest.shrink", 20*time.Second, "how long smrtest.Explore makes a failing run smaller, at most")
	replayFlag = flag.String("smrtest.replay", "", "the file with a schedule that smrtest.Explore plays, in place of all else")
)

// command is the command that runs one test again, from anywhere in its module.
func command(test string, args ...string) string {
	words := []string{"go test"}
	if b, ok := debug.ReadBuildInfo(); ok && strings.HasSuffix(b.Path, ".test") {
		words = append(words, strings.TrimSuffix(b.Path, ".test"))
	}
	words = append(words, "-run '^"+strings.ReplaceAll(regexp.QuoteMeta(test), "/", "$/^")+"$'")
	return strings.Join(append(words, args...), " ")
}

// given reports whether a flag has another value than it has by itself.
func given(name string) bool {
	f := flag.Lookup(name)
	return f != nil && f.Value.String() != f.DefValue
}
