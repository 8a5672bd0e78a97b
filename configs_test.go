package smr

import (
	"maps"
	"os"
	"path"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The page on faults states for every field of Config whether members may differ in it, and whether it may change at a
// restart. Where they may, the group serves all the same. Where not, no group forms, or the directory is refused.
func TestEveryFieldOfConfig(t *testing.T) {
	page, err := os.ReadFile("docs/FAULTS.md")
	require.NoError(t, err)
	stated := map[string][2]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (yes|no)\\b.*? \\| (yes|no)\\b").FindAllStringSubmatch(string(page), -1) {
		stated[row[1]] = [2]bool{row[2] == "yes", row[3] == "yes"}
	}
	var fields []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		fields = append(fields, f.Name)
	}
	assert.ElementsMatch(t, fields, slices.Collect(maps.Keys(stated)), "docs/FAULTS.md lists the fields of Config")
	for field, change := range map[string]func(g *group, c *Config){
		"ID":            func(_ *group, c *Config) { c.ID = "b" },
		"Members":       func(_ *group, c *Config) { c.Members = []Member{{ID: "c"}, {ID: "b"}, {ID: "a"}} },
		"Transport":     func(g *group, c *Config) { c.Transport = g.wires.transport(c.ID) },
		"Group":         func(_ *group, c *Config) { c.Group = "another" },
		"Dir":           func(_ *group, c *Config) { c.Dir = "elsewhere" },
		"Volatile":      func(_ *group, c *Config) { c.Volatile, c.Dir = true, "" },
		"Detector":      func(_ *group, c *Config) { c.Detector = NewFixedDetector(3 * time.Second) },
		"Heartbeat":     func(_ *group, c *Config) { c.Heartbeat = 20 * time.Millisecond },
		"Abdication":    func(_ *group, c *Config) { c.Abdication = 3 * time.Second },
		"DiskLimit":     func(_ *group, c *Config) { c.DiskLimit = -1 },
		"SnapshotEvery": func(_ *group, c *Config) { c.SnapshotEvery = 1 },
		"SnapshotBytes": func(_ *group, c *Config) { c.SnapshotBytes = 1 },
		"KeepLog":       func(_ *group, c *Config) { c.KeepLog = -1 },
		"MaxOpSize":     func(_ *group, c *Config) { c.MaxOpSize = 100 },
		"Window":        func(_ *group, c *Config) { c.Window = 1 << 20 },
		"Logger":        func(_ *group, c *Config) { c.Logger = hclog.NewNullLogger() },
	} {
		for restart, may := range stated[field] {
			t.Run(field+map[bool]string{false: " differs", true: " changes"}[restart == 1], func(t *testing.T) {
				fieldOfOne(t, restart == 1, may, func(g *group, c *Config) {
					if field != "ID" || restart == 1 { // each has its own anyway
						change(g, c)
					}
				})
			})
		}
	}
}

// fieldOfOne changes the configuration of c, before the group forms or at a restart, and expects that the group serves at
// all members, or that c is refused or takes no part.
func fieldOfOne(t *testing.T, restart, may bool, change func(g *group, c *Config)) {
	scenario(t, 3, func(g *group) {
		altered := !restart
		g.change = func(c *Config) {
			if c.ID == "c" && altered {
				change(g, c)
			}
		}
		if restart {
			g.start()
			g.propose("c", "before")
			g.settle()
			g.close("c")
			altered = true
			g.moveDir("c")
		}
		var err error
		if restart {
			err = g.tryStart("c", g.change)
		} else {
			g.start()
		}
		if may {
			require.NoError(t, err)
			for _, id := range g.all() {
				g.propose(id, "at "+string(id))
			}
			g.settle()
			return
		}
		if err == nil {
			time.Sleep(10 * time.Second)
			require.NotEqual(t, Normal, g.replica("c").Status().Phase)
			require.NotEmpty(t, g.replica("c").Status().Problem)
		}
	})
}

// moveDir makes a member's directory available under another name too.
func (g *group) moveDir(id ID) {
	disk := g.disks[id]
	for _, folder := range []string{"log", "snapshots"} {
		names, err := disk.ReadDir(path.Join("data", folder))
		require.NoError(g.t, err)
		to := path.Join("elsewhere", folder)
		require.NoError(g.t, disk.MkdirAll(to))
		for _, name := range names {
			b, err := disk.ReadFile(path.Join("data", folder, name))
			require.NoError(g.t, err)
			f, err := disk.OpenFile(path.Join(to, name), os.O_CREATE)
			require.NoError(g.t, err)
			_, err = f.WriteAt(b, 0)
			require.NoError(g.t, err)
			require.NoError(g.t, f.Sync())
			require.NoError(g.t, f.Close())
		}
		require.NoError(g.t, disk.SyncDir(to))
	}
}
