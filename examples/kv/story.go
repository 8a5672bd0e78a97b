package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/smr-go/smr"
)

// storyLimit is the time after which the story fails. It usually takes a few seconds.
const storyLimit = time.Minute

// part keys are written before the primary dies and part keys afterwards, by that many concurrent writers.
const (
	part    = 1000
	writers = 16
)

// story is a group of three replicas whose primary dies and comes back.
type story struct {
	out   io.Writer
	sites []*site

	mu    sync.Mutex
	acked map[string]string // acknowledged values by key
}

// tellStory runs the story in temporary directories. It fails if an acknowledged write is lost.
func tellStory(ctx context.Context, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, storyLimit, errors.New("the story hangs"))
	defer cancel()
	root, err := os.MkdirTemp("", "smr-kv-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	s := &story{out: out, acked: map[string]string{}}
	s.sites, err = openSites(root, "a", "b", "c")
	if err == nil {
		s.sayf("Three replicas, each with its own directory under %s.", root)
		err = s.tell(ctx)
	}
	return errors.Join(err, closeSites(s.sites))
}

func (s *story) tell(ctx context.Context) error {
	first, err := s.sites[0].awaitPrimary(ctx, "")
	if err != nil {
		return err
	}
	s.sayf("%s is the primary.", first)
	if err := s.writePart(ctx, s.sites); err != nil {
		return err
	}
	dead, alive := s.split(first)
	if err := s.takeover(ctx, dead, alive); err != nil {
		return err
	}
	if err := s.writePart(ctx, alive); err != nil {
		return err
	}
	if err := s.catchUp(ctx, dead, alive[0]); err != nil {
		return err
	}
	return s.check(ctx)
}

func (s *story) sayf(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// split returns the site of a replica, and the other sites.
func (s *story) split(id smr.ID) (one *site, others []*site) {
	for _, site := range s.sites {
		if site.member.ID == id {
			one = site
		} else {
			others = append(others, site)
		}
	}
	return one, others
}

// takeover kills the primary and immediately writes at another replica. That write waits for the next
// primary.
func (s *story) takeover(ctx context.Context, dead *site, alive []*site) error {
	began := time.Now()
	dead.cable.pull()
	s.sayf("Killing %s: without a word to the others, it is gone from the network.", dead.member.ID)
	if err := s.write(ctx, alive[0], "written-without-"+string(dead.member.ID), "yes"); err != nil {
		return fmt.Errorf("the first write without %s: %w", dead.member.ID, err)
	}
	took := time.Since(began)
	next, err := alive[0].awaitPrimary(ctx, dead.member.ID)
	if err != nil {
		return err
	}
	s.sayf("%s is the primary now. The first write without %s was accepted after %v.",
		next, dead.member.ID, took.Round(time.Millisecond))
	return dead.close()
}

// writePart writes new keys at all the given sites concurrently.
func (s *story) writePart(ctx context.Context, sites []*site) error {
	began, first := time.Now(), len(s.acked)
	errs := make([]error, writers)
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			for i := w; i < part && errs[w] == nil; i += writers {
				n := first + i
				errs[w] = s.write(ctx, sites[w%len(sites)], fmt.Sprintf("key-%d", n), fmt.Sprintf("value %d", n))
			}
		})
	}
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	s.sayf("%d keys written in %v, by %d clients at %d replicas.", part, time.Since(began).Round(time.Millisecond), writers, len(sites))
	return nil
}

// write writes a key and records that the write was acknowledged.
func (s *story) write(ctx context.Context, at *site, key, value string) error {
	if _, err := at.db.write(ctx, command{Verb: put, Key: key, Value: []byte(value)}); err != nil {
		return fmt.Errorf("writing %s at %s: %w", key, at.member.ID, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked[key] = value
	return nil
}

// catchUp restarts the dead replica and waits until it has applied every operation that another replica
// has applied.
func (s *story) catchUp(ctx context.Context, dead, other *site) error {
	target := other.replica.Status().Applied
	began := time.Now()
	if err := dead.restart(); err != nil {
		return err
	}
	had := dead.replica.Status().Op
	if err := dead.replica.Read(ctx, smr.AtLeast(target), func() {}); err != nil {
		return fmt.Errorf("%s does not catch up: %w", dead.member.ID, err)
	}
	s.sayf("%s restarted from its directory with entries up to %d of %d (the writes, and a few of smr's own), and has caught up after %v.",
		dead.member.ID, had, target, time.Since(began).Round(time.Millisecond))
	return nil
}

// check reads every acknowledged key at every replica.
func (s *story) check(ctx context.Context) error {
	for _, site := range s.sites {
		for key, want := range s.acked {
			v, err := site.db.get(ctx, smr.Linearizable, key)
			if err != nil {
				return fmt.Errorf("reading %s at %s: %w", key, site.member.ID, err)
			}
			if string(v.value) != want {
				return fmt.Errorf("LOST at %s: %s holds %q, and %q was acknowledged", site.member.ID, key, v.value, want)
			}
		}
	}
	s.sayf("Checked at %s, %s and %s: of %d acknowledged writes, none is missing.",
		s.sites[0].member.ID, s.sites[1].member.ID, s.sites[2].member.ID, len(s.acked))
	return nil
}
