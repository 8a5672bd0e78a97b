package smr

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr/internal/detector"
	"github.com/smr-go/smr/internal/vsr"
)

// maxID and maxAddr are the lengths in bytes of the longest ID and of the longest address or name.
const (
	maxID   = 64
	maxAddr = 255
)

// withDefaults returns the configuration with every zero field replaced by its default, or an error if
// the configuration is invalid.
func (c Config) withDefaults() (Config, error) {
	c.Members = slices.Clone(c.Members)
	c.Group = orElse(c.Group, "smr")
	if c.Logger == nil {
		// Not a sublogger of hclog.Default, which would share its level.
		c.Logger = hclog.New(&hclog.LoggerOptions{Name: "smr", Level: hclog.Warn})
	}
	c.Heartbeat = orElse(c.Heartbeat, 50*time.Millisecond)
	c.Abdication = orElse(c.Abdication, time.Second)
	if c.Detector == nil {
		c.Detector = detector.Default(c.Heartbeat)
	}
	c.DiskLimit = max(orElse(c.DiskLimit, 5*time.Second), 0)
	c.SnapshotEvery = orElse(c.SnapshotEvery, 100_000)
	c.SnapshotBytes = orElse(c.SnapshotBytes, 64<<20)
	c.KeepLog = max(orElse(c.KeepLog, 256<<20), 0)
	c.MaxOpSize = orElse(c.MaxOpSize, 1<<20)
	c.Window = orElse(c.Window, 64<<20)
	return c, c.check()
}

func orElse[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// check returns an error that names every invalid field and the remedy, one a line.
func (c *Config) check() error {
	var f configFaults
	f.add(c.Heartbeat < time.Millisecond, "Heartbeat is %v; it must be at least 1ms (zero: 50ms)", c.Heartbeat)
	f.add(c.Heartbeat >= time.Millisecond && c.Abdication < c.Heartbeat,
		"Abdication is %v, less than Heartbeat, %v; choose several heartbeats (zero: 1s)", c.Abdication, c.Heartbeat)
	sized := c.MaxOpSize > 0 && c.MaxOpSize <= vsr.MaxBody
	f.add(!sized, "MaxOpSize is %d; it must be from 1 to %d bytes, since no transport carries more (zero: 1 MiB)",
		c.MaxOpSize, vsr.MaxBody)
	f.add(sized && c.Window < int64(c.MaxOpSize), "Window is %d bytes, less than MaxOpSize, %d; raise it (zero: 64 MiB)",
		c.Window, c.MaxOpSize)
	f.add(len(c.Group) > maxAddr, "Group has %d bytes; the limit is %d", len(c.Group), maxAddr)
	f.add(c.StateMachine == nil, "StateMachine is missing")
	f.add(c.Dir == "" && !c.Volatile, "Dir is missing; name a directory for log and snapshots, or set Volatile to keep "+
		"them in memory")
	f.add(c.Dir != "" && c.Volatile, "Volatile is set and Dir is %q; a volatile replica keeps nothing on disk: leave "+
		"one out", c.Dir)
	f.add(c.Transport == nil && len(c.Members) > 1, "Transport is missing; more than one member needs one, such as "+
		"ListenTCP or Network.Transport")
	c.checkMembers(&f)
	return errors.Join(f...)
}

// configFaults are the faults of a configuration.
type configFaults []error

// add adds a fault of a field if it is there.
func (f *configFaults) add(there bool, format string, args ...any) {
	if there {
		*f = append(*f, fmt.Errorf("smr: Config."+format, args...))
	}
}

func (c *Config) checkMembers(f *configFaults) {
	n := len(c.Members)
	f.add(n == 0 || n > vsr.MaxVoters, "Members has %d members; it must have 1 to %d", n, vsr.MaxVoters)
	seen := map[ID]bool{}
	for i, m := range c.Members {
		named := m.ID != "" && len(m.ID) <= maxID
		f.add(!named, "Members[%d].ID %q must have 1 to %d bytes", i, m.ID, maxID)
		f.add(len(m.Addr) > maxAddr, "Members[%d].Addr has %d bytes; the limit is %d", i, len(m.Addr), maxAddr)
		f.add(named && seen[m.ID], "Members has %q twice; every member needs an ID of its own", m.ID)
		seen[m.ID] = true
	}
	f.add(c.ID == "", "ID is missing; it is this replica's name, one of Config.Members")
	f.add(c.ID != "" && n > 0 && !seen[c.ID], "ID %q is not one of Config.Members", c.ID)
}

// membership returns the configured members in the form of the core.
func (c *Config) membership() vsr.Membership {
	members := make([]vsr.Member, len(c.Members))
	for i, m := range c.Members {
		members[i] = vsr.Member{ID: string(m.ID), Addr: m.Addr}
	}
	return vsr.NewMembership(members)
}

// index returns the index of a member, or -1 if id is not a member.
func (c *Config) index(id ID) vsr.Index {
	for i, m := range c.Members {
		if m.ID == id {
			return vsr.Index(i)
		}
	}
	return -1
}

// addr returns the configured address of a member, or "" if it has none.
func (c *Config) addr(id ID) string {
	if i := c.index(id); i >= 0 {
		return c.Members[i].Addr
	}
	return ""
}
