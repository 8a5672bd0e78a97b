// Kv is a replicated key-value server, the main example of smr.
//
//	kv          runs a group of three in this process, kills the primary and restarts it
//	kv serve    runs one replica of a group; kv serve -h lists its flags
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

const usage = `kv          tells the story of a group of three, in this process
kv serve    runs one replica of a group; kv serve -h lists its flags
`

func main() {
	// The first signal stops the replica in order; a second one ends the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	errs := newSink(os.Stderr)
	status := run(ctx, os.Args[1:], os.Stdout, errs)
	errs.flush()
	os.Exit(status)
}

// run runs the program and returns the exit status: 2 for a mistake on the command line, and 1 for other
// failures. It reports a failure in one line on errs.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	err := dispatch(ctx, args, out, errs)
	var mistake usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &mistake):
		fmt.Fprintln(errs, "kv:", oneLine(err))
		return 2
	}
	fmt.Fprintln(errs, "kv:", oneLine(err))
	return 1
}

func dispatch(ctx context.Context, args []string, out, errs io.Writer) error {
	switch {
	case len(args) == 0:
		return tellStory(ctx, out)
	case args[0] == "serve":
		o, err := parse(args[1:], out)
		if err != nil {
			return err
		}
		return serve(ctx, o, errs)
	case args[0] == "-h", args[0] == "-help", args[0] == "--help", args[0] == "help":
		fmt.Fprint(out, usage)
		return nil
	}
	return usagef("%q is not known; use kv, kv serve or kv help", args[0])
}

func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
