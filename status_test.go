package smr

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smr-go/smr/internal/vsr"
)

// Each field of Status comes from its place in the core's state. Commit and Op cover what has been applied, since the
// applier may be ahead of what the core has saved and counted.
func TestStatusOf(t *testing.T) {
	members := []Member{{ID: "a"}, {ID: "b", Addr: "there"}}
	core := vsr.State{Phase: vsr.Primary, Head: vsr.Head{Epoch: 2, View: 3}, Primary: 1, Members: (&Config{Members: members}).membership(),
		Last: vsr.Viewstamp{View: 3, Op: 9}, First: 1, Commit: 7, Applied: 5, Snapshot: 4, Problem: "something"}
	want := Status{ID: "b", Phase: Normal, Epoch: 2, View: 3, Primary: "b", Op: 9, Commit: 7, Applied: 6, Snapshot: 4, Members: members, Problem: "something"}
	for name, c := range map[string]struct {
		core    func(*vsr.State)
		applied vsr.OpNumber
		want    func(*Status)
	}{
		"a primary":              {func(*vsr.State) {}, 6, func(*Status) {}},
		"a backup":               {func(s *vsr.State) { s.Phase, s.Primary = vsr.Backup, 0 }, 6, func(s *Status) { s.Primary = "a" }},
		"a view change":          {func(s *vsr.State) { s.Phase, s.Primary = vsr.InViewChange, -1 }, 6, func(s *Status) { s.Phase, s.Primary = ViewChange, "" }},
		"recovering":             {func(s *vsr.State) { s.Phase, s.Primary = vsr.Recovering, -1 }, 6, func(s *Status) { s.Phase, s.Primary = Recovering, "" }},
		"forming":                {func(s *vsr.State) { s.Phase, s.Primary = vsr.Forming, -1 }, 6, func(s *Status) { s.Phase, s.Primary = Forming, "" }},
		"nothing applied":        {func(*vsr.State) {}, 0, func(s *Status) { s.Applied = 0 }},
		"applied beyond commit":  {func(*vsr.State) {}, 8, func(s *Status) { s.Applied, s.Commit = 8, 8 }},
		"applied beyond the log": {func(*vsr.State) {}, 12, func(s *Status) { s.Applied, s.Commit, s.Op = 12, 12, 12 }},
		"all committed":          {func(s *vsr.State) { s.Commit = 9 }, 6, func(s *Status) { s.Commit = 9 }},
		"without a problem":      {func(s *vsr.State) { s.Problem = "" }, 6, func(s *Status) { s.Problem = "" }},
		"without a snapshot":     {func(s *vsr.State) { s.Snapshot = 0 }, 6, func(s *Status) { s.Snapshot = 0 }},
		"another view and epoch": {func(s *vsr.State) { s.Head.View, s.Head.Epoch = 5, 1 }, 6, func(s *Status) { s.View, s.Epoch = 5, 1 }},
	} {
		s, w := core, want
		c.core(&s)
		c.want(&w)
		assert.Equal(t, w, statusOf(&s, "b", members, c.applied), name)
	}
}
