package smr

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/vfs"
	"github.com/smr-go/smr/internal/vsr"
)

// Start reports an invalid configuration by the name of the field.
func TestStartRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"no members":         {func(c *Config) { c.Members = nil }, "Config.Members has 0 members; it must have 1 to 7"},
		"too many members":   {func(c *Config) { c.Members = make([]Member, 8) }, "Config.Members has 8 members"},
		"member without id":  {func(c *Config) { c.Members = []Member{{ID: "a"}, {}} }, `Members[1].ID "" must have 1 to 64 bytes`},
		"long id":            {func(c *Config) { c.Members = []Member{{ID: ID(strings.Repeat("a", 65))}} }, "must have 1 to 64 bytes"},
		"long address":       {func(c *Config) { c.Members[1].Addr = strings.Repeat("a", 256) }, "Members[1].Addr has 256 bytes"},
		"member twice":       {func(c *Config) { c.Members[2].ID = "a" }, `Config.Members has "a" twice`},
		"not a member":       {func(c *Config) { c.ID = "z" }, `Config.ID "z" is not one of Config.Members`},
		"no id":              {func(c *Config) { c.ID = "" }, "Config.ID is missing"},
		"no state machine":   {func(c *Config) { c.StateMachine = nil }, "Config.StateMachine is missing"},
		"no transport":       {func(c *Config) { c.Transport = nil }, "Config.Transport is missing"},
		"no directory":       {func(c *Config) { c.Volatile = false }, "Config.Dir is missing; name a directory"},
		"two places":         {func(c *Config) { c.Dir = "data" }, `Config.Volatile is set and Dir is "data"`},
		"long group":         {func(c *Config) { c.Group = strings.Repeat("a", 256) }, "Config.Group has 256 bytes"},
		"negative heartbeat": {func(c *Config) { c.Heartbeat = -1 }, "Config.Heartbeat is -1ns; it must be at least 1ms"},
		"short abdication":   {func(c *Config) { c.Abdication = time.Millisecond }, "Abdication is 1ms, less than Heartbeat, 50ms"},
		"negative op size":   {func(c *Config) { c.MaxOpSize = -1 }, "Config.MaxOpSize is -1"},
		"huge op size":       {func(c *Config) { c.MaxOpSize = 32<<20 + 1 }, "Config.MaxOpSize is 33554433; it must be from 1 to 33554432 bytes, since no transport carries more"},
		"window too small":   {func(c *Config) { c.Window = 1000 }, "Config.Window is 1000 bytes, less than MaxOpSize"},
	} {
		t.Run(name, func(t *testing.T) {
			members := []Member{{ID: "a"}, {ID: "b"}, {ID: "c"}}
			cfg := Config{ID: "a", Members: members, StateMachine: newRecorder(), Transport: NewNetwork().Transport("a"),
				Volatile: true, Logger: hclog.NewNullLogger()}
			c.change(&cfg)
			r, err := Start(cfg)
			require.ErrorContains(t, err, c.says)
			assert.Nil(t, r)
			assert.True(t, strings.HasPrefix(err.Error(), "smr: "), err)
		})
	}
}

// Start reports everything that is wrong with a configuration at once, and each thing once.
func TestStartReportsAllFaultsOfAConfig(t *testing.T) {
	_, err := Start(Config{Heartbeat: -1, MaxOpSize: -1, Window: -1, Logger: hclog.NewNullLogger()})
	require.EqualError(t, err, `smr: Config.Heartbeat is -1ns; it must be at least 1ms (zero: 50ms)
smr: Config.MaxOpSize is -1; it must be from 1 to 33554432 bytes, since no transport carries more (zero: 1 MiB)
smr: Config.StateMachine is missing
smr: Config.Dir is missing; name a directory for log and snapshots, or set Volatile to keep them in memory
smr: Config.Members has 0 members; it must have 1 to 7
smr: Config.ID is missing; it is this replica's name, one of Config.Members`)
	_, err = Start(Config{ID: "z", Members: []Member{{ID: "a"}, {ID: "a", Addr: strings.Repeat("x", 256)}, {}},
		StateMachine: newRecorder(), Dir: "data", Volatile: true, Window: 1, Logger: hclog.NewNullLogger()})
	require.EqualError(t, err, `smr: Config.Window is 1 bytes, less than MaxOpSize, 1048576; raise it (zero: 64 MiB)
smr: Config.Volatile is set and Dir is "data"; a volatile replica keeps nothing on disk: leave one out
smr: Config.Transport is missing; more than one member needs one, such as ListenTCP or Network.Transport
smr: Config.Members[1].Addr has 256 bytes; the limit is 255
smr: Config.Members has "a" twice; every member needs an ID of its own
smr: Config.Members[2].ID "" must have 1 to 64 bytes
smr: Config.ID "z" is not one of Config.Members`)
}

// Every field of the configuration that the shell or the core obeys reaches it, and so do the defaults.
func TestConfigReachesTheShell(t *testing.T) {
	of := func(change func(*Config)) shell.Config {
		cfg := Config{ID: "b", Members: []Member{{ID: "a"}, {ID: "b"}}, StateMachine: newRecorder(),
			Transport: NewNetwork().Transport("b"), Dir: "data"}
		change(&cfg)
		cfg, err := cfg.withDefaults()
		require.NoError(t, err)
		return (&Replica{cfg: cfg}).shellConfig(vfs.NewMem())
	}
	type given = shell.Config
	for name, c := range map[string]struct {
		change        func(*Config)
		get           func(given) any
		want, without any
	}{
		"Group": {
			func(c *Config) { c.Group = "g" },
			func(c given) any { return c.Group }, "g", "smr",
		},
		"Dir": {
			func(c *Config) { c.Dir = "elsewhere" },
			func(c given) any { return c.Dir }, "elsewhere", "data",
		},
		"ID": {
			func(c *Config) { c.ID = "a" },
			func(c given) any { return c.Core.Self }, vsr.Index(0), vsr.Index(1),
		},
		"Members": {
			func(c *Config) { c.Members = append(c.Members, Member{ID: "c"}) },
			func(c given) any { return len(c.Core.Members.Members) }, 3, 2,
		},
		"SnapshotEvery": {
			func(c *Config) { c.SnapshotEvery = 7 },
			func(c given) any { return c.SnapshotEvery }, 7, 100_000,
		},
		"SnapshotBytes": {
			func(c *Config) { c.SnapshotBytes = 7 },
			func(c given) any { return c.SnapshotBytes }, int64(7), int64(64 << 20),
		},
		"segments": {
			func(c *Config) { c.SnapshotBytes = 1 << 20 },
			func(c given) any { return c.SegmentSize }, int64(256 << 10), int64(16 << 20),
		},
		"KeepLog": {
			func(c *Config) { c.KeepLog = 7 },
			func(c given) any { return c.Core.KeepLog }, int64(7), int64(256 << 20),
		},
		"no KeepLog": {
			func(c *Config) { c.KeepLog = -1 },
			func(c given) any { return c.Core.KeepLog }, int64(0), int64(256 << 20),
		},
		"Window": {
			func(c *Config) { c.Window = 2 << 20 },
			func(c given) any { return c.Core.Window }, int64(2 << 20), int64(64 << 20),
		},
		"the tail": {
			func(c *Config) { c.Window = 2 << 20 },
			func(c given) any { return c.Core.Tail }, int64(2 << 20), int64(64 << 20),
		},
		"DiskLimit": {
			func(c *Config) { c.DiskLimit = time.Minute },
			func(c given) any { return c.Core.DiskLimit }, time.Minute, 5 * time.Second,
		},
		"Abdication": {
			func(c *Config) { c.Abdication = time.Minute },
			func(c given) any { return c.Core.Abdication }, time.Minute, time.Second,
		},
		"Heartbeat": {
			func(c *Config) { c.Heartbeat = time.Second },
			func(c given) any { return c.Core.Heartbeat }, time.Second, 50 * time.Millisecond,
		},
		"Volatile": {
			func(c *Config) { c.Dir, c.Volatile = "", true },
			func(c given) any { return c.Core.Volatile }, true, false,
		},
	} {
		assert.Equal(t, c.want, c.get(of(c.change)), name)
		assert.Equal(t, c.without, c.get(of(func(*Config) {})), "the default of %s", name)
	}
	d := NewFixedDetector(time.Second)
	assert.Same(t, d, of(func(c *Config) { c.Detector = d }).Core.Detector)
	d = NewAdaptiveDetector(50*time.Millisecond, 400*time.Millisecond)
	assert.Equal(t, d, of(func(c *Config) { c.Heartbeat = 10 * time.Millisecond }).Core.Detector)
}

// A StateMachine and a Detector belong to one running replica of the process.
func TestSharedValuesAreRefused(t *testing.T) {
	for field, share := range map[string]func(c *Config, state StateMachine, d Detector){
		"StateMachine": func(c *Config, state StateMachine, _ Detector) { c.StateMachine = state },
		"Detector":     func(c *Config, _ StateMachine, d Detector) { c.Detector = d },
	} {
		for range 2 { // the first time leaves nothing behind
			state, d := newRecorder(), NewAdaptiveDetector(time.Second, time.Minute)
			config := func() Config {
				c := Config{ID: "a", Members: []Member{{ID: "a"}}, StateMachine: newRecorder(), Volatile: true, Logger: hclog.NewNullLogger()}
				share(&c, state, d)
				return c
			}
			r, err := Start(config())
			require.NoError(t, err)
			for range 2 {
				_, err = Start(config())
				require.EqualError(t, err, "smr: Config."+field+` is in use by replica "a", which runs in this process; give each replica a value of its own`)
			}
			require.NoError(t, r.Close())
			r, err = Start(config())
			require.NoError(t, err)
			require.NoError(t, r.Close())
		}
	}
}

// A second replica on a real directory is refused while the first runs. After that it continues with the
// data of the first.
func TestDirectoryInUse(t *testing.T) {
	cfg := Config{ID: "a", Members: []Member{{ID: "a"}}, Dir: t.TempDir() + "/new/dir", Logger: hclog.NewNullLogger()}
	start := func() (*Replica, *recorder, error) {
		state := newRecorder()
		cfg.StateMachine = state
		r, err := Start(cfg)
		return r, state, err
	}
	r, _, err := start()
	require.NoError(t, err)
	_, err = r.Propose(t.Context(), []byte("kept"))
	require.NoError(t, err)
	_, _, err = start()
	require.ErrorContains(t, err, "locked by another process or replica")
	require.NoError(t, r.Close())

	r, state, err := start()
	require.NoError(t, err)
	require.NoError(t, r.Read(t.Context(), Linearizable, func() { assert.Equal(t, []string{"kept"}, state.bodies()) }))
	require.NoError(t, r.Close())
}

// Start changes neither the caller's list of members nor the level of the default logger.
func TestStartChangesNothingOfTheCallers(t *testing.T) {
	level := hclog.Default().GetLevel()
	members := []Member{{ID: "a", Addr: "here"}}
	r, err := Start(Config{ID: "a", Members: members, StateMachine: newRecorder(), Volatile: true})
	require.NoError(t, err)
	members[0].Addr = "elsewhere"
	assert.Equal(t, "here", r.Status().Members[0].Addr)
	assert.Equal(t, level, hclog.Default().GetLevel())
	require.NoError(t, r.Close())
	require.NoError(t, r.Close(), "closing twice")
	assert.ErrorIs(t, r.Err(), ErrClosed)
}

// The caller owns the result of Propose: changing it affects nothing else.
func TestResultIsTheCallers(t *testing.T) {
	state := &echo{}
	r, err := Start(Config{ID: "a", Members: []Member{{ID: "a"}}, StateMachine: state, Volatile: true, SnapshotEvery: 1})
	require.NoError(t, err)
	body := []byte("unchanged")
	for range 100 {
		result, err := r.Propose(t.Context(), body)
		require.NoError(t, err)
		require.Equal(t, "unchanged", string(result))
		clear(result)
	}
	require.NoError(t, r.Close())
}

// echo is a state machine whose result is the body of the first operation, always in the same memory.
type echo struct{ first []byte }

func (s *echo) Apply(op Op) []byte {
	if s.first == nil {
		s.first = slices.Clone(op.Body)
	}
	return s.first
}

func (*echo) Snapshot() (io.WriterTo, error) { return strings.NewReader("none"), nil }
func (*echo) Restore(io.Reader) error        { return nil }
