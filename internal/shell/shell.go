package shell

import (
	"fmt"
	"path"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr/internal/snap"
	"github.com/smr-go/smr/internal/store"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wal"
	"github.com/smr-go/smr/internal/wire"
)

// The folders of a replica's directory.
const (
	LogDir      = "log"
	SnapshotDir = "snapshots"
)

// Config is what a shell needs to know. All fields are required unless zero is explained.
type Config struct {
	Core  vsr.Config
	Group string // the group's configured name

	FS          vfs.FS
	Dir         string // on FS; made if absent
	SegmentSize int64  // bytes of a segment of the log; 0: the log's default
	ChunkSize   int    // bytes of a snapshot's chunk; 0: the default

	SnapshotEvery int   // operations from one snapshot to the next; 0 or less: not by number
	SnapshotBytes int64 // bytes of operations from one snapshot to the next; 0 or less: not by bytes

	User     User
	Driver   Driver
	Observer Observer // nil: none
	Recorder Recorder // nil: none
}

// Identity returns the owner that the log of a member's directory records.
func Identity(group, id string) string { return group + "/" + id }

// Shell is one replica around its core. The package comment states which goroutine owns each part.
type Shell struct {
	Loop    Loop
	Writer  Writer
	Applier Applier
	Fetcher Fetcher

	Log       *wal.Log // nil with Core.Volatile
	Snapshots *snap.Store

	driver   Driver
	observer Observer
	tag      wire.GroupTag
}

// Open opens the directory, restores the latest snapshot, and makes a core from the log. It also returns the durable
// state that the core was made from. If it returns an error, which names the fault of the directory, nothing stays open.
func Open(c Config, now time.Time) (*Shell, vsr.Durable, error) {
	s := &Shell{driver: c.Driver, observer: c.Observer, tag: wire.TagOf(c.Group)}
	opened := false
	defer func() { // also if the user's code ends the goroutine
		if !opened {
			s.Close()
		}
	}()
	d, err := s.open(&c)
	if err == nil {
		err = checkList(&c, &d)
	}
	if err != nil {
		if store.IsCorrupt(err) {
			err = fmt.Errorf("%w (in %s); keep the directory, and leave this replica out: the group goes on without it", err, c.Dir)
		}
		return nil, d, err
	}
	opened = true
	s.start(&c, d, now)
	return s, d, nil
}

// open opens the storage and recovers the state (S5).
func (s *Shell) open(c *Config) (d vsr.Durable, err error) {
	if err := c.FS.MkdirAll(c.Dir); err != nil {
		return d, fmt.Errorf("Config.Dir cannot be made: %w", err)
	}
	id := c.Core.Members.Members[c.Core.Self].ID
	if !c.Core.Volatile {
		options := wal.Options{Identity: Identity(c.Group, id), SegmentSize: c.SegmentSize}
		if s.Log, err = wal.Open(c.FS, path.Join(c.Dir, LogDir), options); err != nil {
			return d, err
		}
	}
	if s.Snapshots, err = snap.Open(c.FS, path.Join(c.Dir, SnapshotDir), snap.Options{Identity: c.Group, ChunkSize: c.ChunkSize}); err != nil {
		return d, err
	}
	for _, err := range s.Snapshots.Damaged() {
		s.driver.Note(Note{Level: hclog.Error, Text: "a snapshot is damaged and is not used", Err: err})
	}
	s.Applier = Applier{driver: c.Driver, observer: c.Observer, shell: s, user: c.User, every: c.SnapshotEvery, everyBytes: c.SnapshotBytes}
	return s.recover(c)
}

// recover restores the latest snapshot and returns what the disk holds.
func (s *Shell) recover(c *Config) (d vsr.Durable, err error) {
	var latest *vsr.Snapshot
	if info, ok := s.Snapshots.Latest(); ok {
		if err := s.Applier.restore(info.ID); err != nil {
			if Stack(err) != "" {
				s.driver.Note(Note{Level: hclog.Error, Text: "a snapshot cannot be restored", Err: err})
			}
			return d, err
		}
		snapshot := store.Describe(info, s.Applier.state.Members)
		latest = &snapshot
	}
	if s.Log == nil {
		return vsr.Durable{Snapshot: latest, Time: s.Applier.state.Clock}, nil
	}
	d, err = store.Recover(s.Log, latest, s.Applier.state.Clock)
	if err != nil && store.IsCorrupt(err) {
		for _, damage := range s.Snapshots.Damaged() { // why no snapshot reaches as far as one must
			err = fmt.Errorf("%w; %w", err, damage)
		}
	}
	return d, err
}

// checkList refuses a configuration whose members are not those of the group that the disk holds (S2).
func checkList(c *Config, d *vsr.Durable) error {
	own, held := c.Core.Members, vsr.Membership{}
	switch {
	case d.Snapshot != nil:
		held = d.Snapshot.Members
	case d.First != nil:
		m, err := vsr.DecodeMembership(d.First.Body)
		if err != nil {
			return fmt.Errorf("%w: op 1: %w", store.ErrCorrupt, err)
		}
		held = m
	default:
		return nil
	}
	if held.List() != own.List() {
		there, here := vsr.ListTexts(held.List(), own.List())
		return fmt.Errorf("%s holds a group of %s, but Config.Members is %s; give the same members in the same order (their addresses may change)", c.Dir, there, here)
	}
	return nil
}

// start makes the core and the parts.
func (s *Shell) start(c *Config, d vsr.Durable, now time.Time) {
	if c.Recorder != nil {
		c.Recorder.Started(&c.Core, &d, now)
	}
	core := vsr.New(c.Core, d, now)
	head := core.Header()
	s.Applier.self = vsr.Member{ID: c.Core.Members.Members[c.Core.Self].ID, Incarnation: head.Incarnation}
	s.Applier.start = head.Start
	s.Loop = Loop{core: core, shell: s, driver: c.Driver, observer: c.Observer, recorder: c.Recorder, self: c.Core.Self, volatile: c.Core.Volatile,
		now: now, applied: s.Applier.state.Last.Op, kept: kept{loop: &s.Loop}}
	s.Loop.calls = calls{loop: &s.Loop, waiting: map[uint64]*Call{}}
	s.Loop.reads = reads{loop: &s.Loop, unconfirmed: map[uint64]*Read{}}
	s.Loop.handovers = handovers{loop: &s.Loop, patience: c.Core.Abdication}
	s.Writer = Writer{log: s.Log, driver: c.Driver, observer: c.Observer, dir: c.Dir, keepLog: c.Core.KeepLog}
	if s.Log != nil {
		s.Writer.markAt = now.Add(IdleMark)
	}
	s.Fetcher = Fetcher{snapshots: s.Snapshots, driver: c.Driver, observer: c.Observer}
}

// Close releases what the shell has open. No part may be running.
func (s *Shell) Close() {
	s.Fetcher.receiver.Close()
	s.Loop.kept.releaseAll()
	if s.Log != nil {
		s.Log.Close()
	}
	if r := s.Loop.recorder; r != nil {
		if err := r.Close(); err != nil {
			s.driver.Note(Note{Level: hclog.Error, Text: "the recording of this replica is incomplete", Err: err})
		}
	}
}
