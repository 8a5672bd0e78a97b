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
	core := vsr.State{Phase: vsr.Primary, Head: vsr.Head{Epoch: 2, View: 3}, Primary: 1,
		Members: (&Config{Members: members}).membership(), Last: vsr.Viewstamp{View: 3, Op: 9}, First: 1,
		Commit: 7, Applied: 5, Snapshot: 4, Problem: "something"}
	want := Status{ID: "b", Phase: Normal, Epoch: 2, View: 3, Primary: "b", Op: 9, Commit: 7, Applied: 6, Snapshot: 4,
		Members: members, Problem: "something"}
	in := func(phase vsr.Phase, primary vsr.Index) func(*vsr.State) {
		return func(s *vsr.State) { s.Phase, s.Primary = phase, primary }
	}
	shows := func(phase Phase, primary ID) func(*Status) {
		return func(s *Status) { s.Phase, s.Primary = phase, primary }
	}
	for name, c := range map[string]struct {
		core    func(*vsr.State)
		applied vsr.OpNumber
		want    func(*Status)
	}{
		"a primary":              {func(*vsr.State) {}, 6, func(*Status) {}},
		"a backup":               {in(vsr.Backup, 0), 6, shows(Normal, "a")},
		"a view change":          {in(vsr.InViewChange, -1), 6, shows(ViewChange, "")},
		"outside":                {in(vsr.Outside, -1), 6, shows(Outside, "")},
		"forming":                {in(vsr.Forming, -1), 6, shows(Forming, "")},
		"nothing applied":        {func(*vsr.State) {}, 0, func(s *Status) { s.Applied = 0 }},
		"applied beyond commit":  {func(*vsr.State) {}, 8, func(s *Status) { s.Applied, s.Commit = 8, 8 }},
		"applied beyond the log": {func(*vsr.State) {}, 12, func(s *Status) { s.Applied, s.Commit, s.Op = 12, 12, 12 }},
		"all committed":          {func(s *vsr.State) { s.Commit = 9 }, 6, func(s *Status) { s.Commit = 9 }},
		"without a problem":      {func(s *vsr.State) { s.Problem = "" }, 6, func(s *Status) { s.Problem = "" }},
		"without a snapshot":     {func(s *vsr.State) { s.Snapshot = 0 }, 6, func(s *Status) { s.Snapshot = 0 }},
		"another view":           {func(s *vsr.State) { s.Head.View = 5 }, 6, func(s *Status) { s.View = 5 }},
		"another epoch":          {func(s *vsr.State) { s.Head.Epoch = 1 }, 6, func(s *Status) { s.Epoch = 1 }},
	} {
		s, w := core, want
		c.core(&s)
		c.want(&w)
		assert.Equal(t, w, statusOf(&s, "b", members, c.applied), name)
	}
}
