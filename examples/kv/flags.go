package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr"
)

// options holds the flags of "kv serve".
type options struct {
	id            smr.ID
	members       []smr.Member
	http          string
	listen        string // "" for the address of the member
	dir           string
	volatile      bool
	cert, key, ca string
	timeout       time.Duration
	snapshotEvery int
	heartbeat     time.Duration
	logLevel      hclog.Level
}

// usageError is a mistake on the command line, for which the exit status is 2.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// parse parses the flags. Its error is a usageError, or flag.ErrHelp after it has written the help that
// was asked for.
func parse(args []string, help io.Writer) (options, error) {
	var o options
	var id, members, logLevel string
	flags := flag.NewFlagSet("kv serve", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&id, "id", "", "this replica's `name`, one of -members")
	flags.StringVar(&members, "members", "", "all replicas, the same `list` on each: a=host:port,b=host:port,c=host:port")
	flags.StringVar(&o.http, "http", "", "`address` to serve HTTP on")
	flags.StringVar(&o.listen, "listen", "", "`address` to listen on for the other replicas, where it is not the one in -members")
	flags.StringVar(&o.dir, "dir", "", "`directory` of the log and the snapshots, made if absent")
	flags.BoolVar(&o.volatile, "volatile", false, "keep everything in memory, instead of -dir")
	flags.StringVar(&o.cert, "cert", "", "certificate `file` for mutual TLS between the replicas; it names the -id")
	flags.StringVar(&o.key, "key", "", "private key `file` of -cert")
	flags.StringVar(&o.ca, "ca", "", "`file` with the certificates of the CAs that sign those of replicas")
	flags.DurationVar(&o.timeout, "timeout", 5*time.Second, "how long a request waits for the group before it is answered 503 or 504")
	flags.IntVar(&o.snapshotEvery, "snapshot-every", 0, "operations from one snapshot to the next; 0: 100,000")
	flags.DurationVar(&o.heartbeat, "heartbeat", 0, "how often the primary is heard when there is nothing to do; 0: 50ms")
	flags.StringVar(&logLevel, "log-level", "info", "trace, debug, info, warn, error or off")
	if err := flags.Parse(args); err != nil {
		return o, parseError(flags, help, err)
	}
	if flags.NArg() > 0 {
		return o, usagef("%q is no flag; see kv serve -h", flags.Arg(0))
	}
	o.id, o.logLevel = smr.ID(id), hclog.LevelFromString(logLevel)
	if o.logLevel == hclog.NoLevel {
		return o, usagef("-log-level is %q; use trace, debug, info, warn, error or off", logLevel)
	}
	var err error
	if o.members, err = parseMembers(members); err != nil {
		return o, err
	}
	return o, o.check()
}

func parseError(flags *flag.FlagSet, help io.Writer, err error) error {
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(help)
		flags.Usage()
		return err
	}
	return usagef("%v; see kv serve -h", err)
}

// parseMembers parses a list like "a=host:port,b=host:port".
func parseMembers(list string) ([]smr.Member, error) {
	if list == "" {
		return nil, usagef("-members is missing: name all replicas, as in a=127.0.0.1:7001,b=127.0.0.1:7002,c=127.0.0.1:7003")
	}
	var members []smr.Member
	named := map[smr.ID]bool{}
	placed := map[string]smr.ID{}
	for entry := range strings.SplitSeq(list, ",") {
		name, addr, _ := strings.Cut(entry, "=")
		id := smr.ID(name)
		if err := checkAddress(addr); name == "" || len(name) > 64 || err != nil {
			return nil, usagef("-members has %q; each is NAME=HOST:PORT, with a name of 1 to 64 bytes", entry)
		}
		if named[id] {
			return nil, usagef("-members has %s twice; names are unique", id)
		}
		if other, taken := placed[addr]; taken {
			return nil, usagef("-members has %s at the address of %s, %s; give each its own", id, other, addr)
		}
		named[id], placed[addr] = true, id
		members = append(members, smr.Member{ID: id, Addr: addr})
	}
	if len(members) > 7 {
		return nil, usagef("-members has %d replicas; a group has at most 7", len(members))
	}
	return members, nil
}

// checkAddress returns an error if an address is not of the form host:port.
func checkAddress(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	_, err = net.LookupPort("tcp", port)
	return err
}

// check returns an error if flags are missing or contradict each other.
func (o *options) check() error {
	if o.id == "" {
		return usagef("-id is missing: which of -members is this replica?")
	}
	if _, ok := o.member(); !ok {
		return usagef("-id %s is not in -members; add it there, or give one of its names", o.id)
	}
	if o.http == "" {
		return usagef("-http is missing: on which address to serve clients, as in 127.0.0.1:8001")
	}
	if err := checkAddress(o.http); err != nil {
		return usagef("-http %q is not host:port: %v", o.http, err)
	}
	if err := checkAddress(o.listen); o.listen != "" && err != nil {
		return usagef("-listen %q is not host:port: %v", o.listen, err)
	}
	if (o.dir == "") != o.volatile {
		return usagef("give -dir, to keep the data there, or -volatile, to keep it in memory, and not both")
	}
	if (o.cert == "") != (o.key == "") || (o.cert == "") != (o.ca == "") {
		return usagef("-cert, -key and -ca go together; give all three, or none")
	}
	if o.timeout <= 0 {
		return usagef("-timeout is %v; it must be above 0", o.timeout)
	}
	if o.heartbeat < 0 {
		return usagef("-heartbeat is %v; it must be above 0, or 0 for the default", o.heartbeat)
	}
	return nil
}

// member returns the entry of this replica in the list of members.
func (o *options) member() (smr.Member, bool) {
	for _, m := range o.members {
		if m.ID == o.id {
			return m, true
		}
	}
	return smr.Member{}, false
}
