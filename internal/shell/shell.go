package shell

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr/internal/detector"
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

// Config configures a shell. All fields are required unless their comment gives a meaning to zero.
type Config struct {
	// Core is the configuration of the core. Open sets Core.IdleHeartbeat.
	Core  vsr.Config
	Group string // the group's configured name

	FS          vfs.FS
	Dir         string // on FS; made if absent
	SegmentSize int64  // bytes of a segment of the log; 0: the log's default
	ChunkSize   int    // bytes of a snapshot's chunk; 0: the default

	SnapshotEvery int   // operations from one snapshot to the next; 0 or less: not by number
	SnapshotBytes int64 // bytes of log from one snapshot to the next, see store.LogBytes; 0 or less: not by bytes

	PartSize    int   // bytes of a part of a large message; 0: 8 KiB
	MaxMessages int64 // bytes of messages that may wait for a turn of the loop; 0: 64 MiB

	User     User
	Driver   Driver
	Observer Observer // nil: none
	Recorder Recorder // nil: none
}

// id returns the ID of the replica.
func (c *Config) id() string { return c.Core.Members.Members[c.Core.Self].ID }

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
	ids      []string // of the members
	door     door

	snapshotting snapshotting
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
	if err != nil {
		if store.IsCorrupt(err) {
			err = fmt.Errorf("%w (in %s); keep the directory, and leave this replica out: the group goes on without it, if enough other members run",
				err, c.Dir)
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
	if !c.Core.Volatile {
		if err := checkDir(c); err != nil {
			return d, err
		}
		if err := s.openLog(c); err != nil {
			return d, err
		}
	}
	options := snap.Options{Identity: c.Group, ChunkSize: c.ChunkSize}
	if s.Snapshots, err = snap.Open(c.FS, path.Join(c.Dir, SnapshotDir), options); err != nil {
		return d, err
	}
	for _, err := range s.Snapshots.Damaged() {
		s.note(hclog.Error, "a snapshot is damaged and is not used", err)
	}
	s.Applier = Applier{driver: c.Driver, observer: c.Observer, shell: s, user: c.User,
		every: c.SnapshotEvery, everyBytes: c.SnapshotBytes}
	s.Applier.state.Sessions.Window = c.Core.Results
	return s.recover(c)
}

// checkDir refuses a directory that would be begun anew although it holds the directories of replicas: it is their parent,
// named by mistake (F17). A replica that has already begun it keeps it.
func checkDir(c *Config) error {
	names, err := c.FS.ReadDir(c.Dir)
	if err != nil {
		return fmt.Errorf("Config.Dir cannot be read: %w", err)
	}
	if slices.Contains(names, LogDir) || slices.Contains(names, SnapshotDir) {
		return nil
	}
	var held []string
	for _, name := range names {
		owner, err := wal.Owner(c.FS, path.Join(c.Dir, name, LogDir))
		if err != nil {
			return err
		}
		if owner != "" {
			held = append(held, fmt.Sprintf("%s of %q", name, owner))
		}
	}
	if len(held) == 0 {
		return nil
	}
	return fmt.Errorf("Config.Dir %s is no replica's directory, but holds some: %s: %w; name this replica's own", c.Dir,
		strings.Join(held, ", "), wal.ErrForeign)
}

// openLog opens the log. It begins a new one only in a directory without snapshots; if there are snapshots, the log was
// removed (F19).
func (s *Shell) openLog(c *Config) error {
	dir, snapshots := path.Join(c.Dir, LogDir), path.Join(c.Dir, SnapshotDir)
	any, err := snap.Any(c.FS, snapshots)
	if err != nil {
		return err
	}
	options := wal.Options{Identity: Identity(c.Group, c.id()), SegmentSize: c.SegmentSize, Unused: unused, MustExist: any}
	s.Log, err = wal.Open(c.FS, dir, options)
	without := "has no head"
	if err == nil && any && s.Log.Head().Group == [16]byte{} {
		without, err = "belongs to no group", wal.ErrMissing
	}
	if errors.Is(err, wal.ErrMissing) {
		return fmt.Errorf("%w: %s %s, but %s holds snapshots: the log was removed, replaced, or is not mounted; put it back",
			store.ErrCorrupt, dir, without, snapshots)
	}
	return err
}

// unused reports whether a head is that of a replica that has never belonged to a group nor learned of one. A first start
// with a wrong ID or group leaves nothing more than that, so the right replica may use the directory (F17).
func unused(h wal.Head) bool { return h.Group == [16]byte{} && h.Known == [16]byte{} }

// recover returns what the disk holds, and restores the latest snapshot once it is certain that all of it belongs
// together.
func (s *Shell) recover(c *Config) (d vsr.Durable, err error) {
	if s.Log == nil {
		return d, nil
	}
	if d, err = store.Recover(s.Log, s.Snapshots.Complete(), c.id()); err != nil {
		if store.IsCorrupt(err) {
			for _, damage := range s.Snapshots.Damaged() { // why no snapshot reaches as far as one must
				err = fmt.Errorf("%w; %w", err, damage)
			}
		}
		return d, err
	}
	if err := checkList(c, &d); err != nil || d.Snapshot == nil {
		return d, err
	}
	s.Applier.self, s.Applier.start = vsr.Member{ID: c.id(), Incarnation: d.Head.Incarnation}, d.Head.Start
	if err = s.Applier.restore(store.SnapID(d.Snapshot.SnapshotID)); Stack(err) != "" {
		s.note(hclog.Error, "a snapshot cannot be restored", err)
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
		held, _ = vsr.DecodeMembership(d.First.Body) // store.Recover has decoded it
	default:
		return nil
	}
	if held.List() != own.List() {
		there, here := vsr.ListTexts(held.List(), own.List())
		return fmt.Errorf("%s holds a group of %s, but Config.Members is %s; give the same members in the same order "+
			"(their addresses may change)", c.Dir, there, here)
	}
	return nil
}

// start makes the core and the parts.
func (s *Shell) start(c *Config, d vsr.Durable, now time.Time) {
	c.Core.IdleHeartbeat = detector.IdleHeartbeat(c.Core.Detector, c.Core.Heartbeat, c.Core.Abdication)
	if c.Recorder != nil {
		c.Recorder.Started(&c.Core, &d, now)
	}
	core := vsr.New(c.Core, d, now)
	head := core.Header()
	s.Applier.self = vsr.Member{ID: c.Core.Members.Members[c.Core.Self].ID, Incarnation: head.Incarnation}
	s.Applier.start = head.Start
	s.Loop = Loop{core: core, shell: s, driver: c.Driver, observer: c.Observer, recorder: c.Recorder,
		self: c.Core.Self, volatile: c.Core.Volatile, now: now, applied: s.Applier.state.Last.Op}
	s.Loop.heartbeat = c.Core.Heartbeat
	s.Loop.parts = newParts(&s.Loop, len(c.Core.Members.Members), cmp.Or(c.PartSize, partSize), c.Core.Window)
	s.Loop.jobs.loop, s.Loop.kept.loop = &s.Loop, &s.Loop
	s.Loop.calls = calls{loop: &s.Loop}
	s.Loop.reads = reads{loop: &s.Loop}
	s.Loop.handovers = handovers{loop: &s.Loop, patience: c.Core.Abdication}
	s.Writer = Writer{log: s.Log, driver: c.Driver, observer: c.Observer, dir: c.Dir, keepLog: c.Core.KeepLog}
	if s.Log != nil {
		s.Writer.markAt = now.Add(IdleMark)
	}
	s.door.messages.limit, s.door.proposals.limit = cmp.Or(c.MaxMessages, maxMessages), c.Core.Window
	for _, m := range c.Core.Members.Members {
		s.ids = append(s.ids, m.ID)
	}
	s.Fetcher = Fetcher{snapshots: s.Snapshots, shell: s, driver: c.Driver, observer: c.Observer}
}

// reserve returns an error unless a segment of the log is in reserve: a snapshot begins only if it leaves that to view
// changes on a full disk (F13).
func (s *Shell) reserve() error {
	if s.Log == nil {
		return nil
	}
	if err := s.Log.Reserve(); err != nil {
		return fmt.Errorf("the log has no segment in reserve, and the snapshot might take the space that it needs: %w",
			err)
	}
	return nil
}

// note reports something that an operator should know: an error that the replica survives, or, without one, an event.
func (s *Shell) note(level hclog.Level, text string, err error, args ...any) {
	s.driver.Note(Note{Level: level, Text: text, Args: args, Err: err})
}

// Close releases what the shell has open. No part may be running.
func (s *Shell) Close() {
	s.Fetcher.receiver.Close()
	s.Loop.kept.releaseAll()
	if s.Log != nil {
		s.Log.Close()
	}
	if s.Snapshots != nil {
		s.Snapshots.Close()
	}
	if r := s.Loop.recorder; r != nil {
		if err := r.Close(); err != nil {
			s.note(hclog.Error, "the recording of this replica is incomplete", err)
		}
	}
}
