package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr"
)

// site is where one replica of the story runs: its directory and address, and the running replica.
type site struct {
	member  smr.Member
	members []smr.Member
	dir     string

	cable   *cable
	replica *smr.Replica
	db      *db
}

// openSites starts a group of replicas over TCP, each with a directory below root. The caller must close
// the sites that it returns, also if it returns an error.
func openSites(root string, ids ...smr.ID) ([]*site, error) {
	var sites []*site
	var transports []*smr.TCP
	for _, id := range ids {
		transport, err := smr.ListenTCP(smr.TCPConfig{Listen: "127.0.0.1:0"})
		if err != nil {
			return nil, err
		}
		transports = append(transports, transport)
		member := smr.Member{ID: id, Addr: transport.Addr().String()}
		sites = append(sites, &site{member: member, dir: filepath.Join(root, string(id))})
	}
	for i, s := range sites {
		s.members = membersOf(sites)
		if err := s.start(transports[i]); err != nil {
			return sites, err
		}
	}
	return sites, nil
}

func membersOf(sites []*site) []smr.Member {
	members := make([]smr.Member, len(sites))
	for i, s := range sites {
		members[i] = s.member
	}
	return members
}

func (s *site) start(transport smr.Transport) error {
	s.cable = &cable{Transport: transport}
	store := newStore()
	replica, err := smr.Start(smr.Config{
		ID:           s.member.ID,
		Members:      s.members,
		StateMachine: store,
		Transport:    s.cable,
		Group:        "kv",
		Dir:          s.dir,
		MaxOpSize:    maxOp,
		Logger:       hclog.NewNullLogger(), // the story reports what happens
	})
	if err != nil {
		return fmt.Errorf("starting %s: %w", s.member.ID, err)
	}
	s.replica, s.db = replica, &db{replica, store}
	return nil
}

// restart starts the replica again from its directory, at its old address.
func (s *site) restart() error {
	transport, err := smr.ListenTCP(smr.TCPConfig{Listen: s.member.Addr})
	if err != nil {
		return err
	}
	return s.start(transport)
}

func (s *site) close() error {
	if s.replica == nil {
		return nil
	}
	return s.replica.Close()
}

func closeSites(sites []*site) error {
	var err error
	for _, s := range sites {
		err = errors.Join(err, s.close())
	}
	return err
}

// awaitPrimary waits until the replica follows a primary other than dead, and returns that primary's ID.
func (s *site) awaitPrimary(ctx context.Context, dead smr.ID) (smr.ID, error) {
	for st := range s.replica.Watch(ctx) {
		if st.Phase == smr.Normal && st.Primary != "" && st.Primary != dead {
			return st.Primary, nil
		}
	}
	st := s.replica.Status()
	return "", fmt.Errorf("%s finds no primary: it is in view %d, %s: %w", st.ID, st.View, st.Phase, context.Cause(ctx))
}
