package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/smr-go/smr"
)

// nothing is a state machine without state, so that only smr itself is measured.
type nothing struct{}

func (nothing) Apply(smr.Op) []byte            { return nil }
func (nothing) Snapshot() (io.WriterTo, error) { return strings.NewReader(""), nil }
func (nothing) Restore(io.Reader) error        { return nil }

// setting is the environment of a group. prepare sets the transports, the members' addresses and
// the directories of three configurations.
type setting struct {
	name    string
	prepare func(configs []smr.Config, dir string) error
}

var settings = map[string]setting{
	"memory": {"in memory", inMemory},
	"disk":   {"TCP and fdatasync", onDisk},
}

func inMemory(configs []smr.Config, _ string) error {
	network := smr.NewNetwork()
	for i := range configs {
		configs[i].Transport, configs[i].Volatile = network.Transport(configs[i].ID), true
	}
	return nil
}

func onDisk(configs []smr.Config, dir string) error {
	for i := range configs {
		c := &configs[i]
		transport, err := smr.ListenTCP(smr.TCPConfig{Listen: "127.0.0.1:0"})
		if err != nil {
			return err
		}
		c.Transport, c.Dir = transport, filepath.Join(dir, string(c.ID))
		c.Members[i].Addr = transport.Addr().String() // all configurations share one slice of members
	}
	return nil
}

// group is three replicas in this process.
type group []*smr.Replica

// start starts a group and returns once each replica has a primary.
func (s setting) start(ctx context.Context, dir string) (g group, err error) {
	members := []smr.Member{{ID: "a"}, {ID: "b"}, {ID: "c"}}
	var configs []smr.Config
	for _, m := range members {
		configs = append(configs, smr.Config{ID: m.ID, Members: members, StateMachine: nothing{}})
	}
	if err := s.prepare(configs, dir); err != nil {
		return nil, err
	}
	for _, c := range configs {
		r, err := smr.Start(c)
		if err != nil {
			return nil, errors.Join(err, g.close())
		}
		g = append(g, r)
	}
	for _, r := range g {
		if err := formed(ctx, r); err != nil {
			return nil, errors.Join(err, g.close())
		}
	}
	return g, nil
}

// formed waits until the replica follows a primary or is the primary.
func formed(ctx context.Context, r *smr.Replica) error {
	last := smr.Status{}
	for last = range r.Watch(ctx) {
		if last.Phase == smr.Normal && last.Primary != "" {
			return nil
		}
	}
	return fmt.Errorf("%s is %s and has no primary: %w", last.ID, last.Phase, context.Cause(ctx))
}

// primary returns the replica that reports itself as primary, or the first if none does at the
// moment.
func (g group) primary() *smr.Replica {
	for _, r := range g {
		if s := r.Status(); s.Primary == s.ID {
			return r
		}
	}
	return g[0]
}

func (g group) close() error {
	var all []error
	for _, r := range g {
		all = append(all, r.Close())
	}
	return errors.Join(all...)
}
