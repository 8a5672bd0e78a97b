package hello

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

// Members talk to each other if their greetings agree; otherwise the reason names both values.
func TestGreetings(t *testing.T) {
	one, two := vsr.GroupID{1}, vsr.GroupID{2}
	memory, other := vsr.Incarnation{1}, vsr.Incarnation{2}
	own := greeting{group: one, incarnation: other, start: 1, name: "smr", list: "a b"}
	member := greeting{group: one, incarnation: memory, start: 5, name: "smr", list: "a b"}
	for name, c := range map[string]struct {
		change func(own, theirs *greeting)
		says   string
	}{
		"a member":              {func(_, _ *greeting) {}, ""},
		"a newcomer":            {func(_, theirs *greeting) { theirs.group, theirs.incarnation = vsr.GroupID{}, other }, ""},
		"another configuration": {func(_, theirs *greeting) { theirs.name = "cache" }, `for group "cache", this replica for "smr"`},
		"another list":          {func(_, theirs *greeting) { theirs.list = "a c" }, "with the members a c, this replica with a b"},
		"another list, long confirmed": {func(own, theirs *greeting) {
			own.confirmed, theirs.confirmed, theirs.list = true, true, "a c"
		}, ""},
		"another group":      {func(_, theirs *greeting) { theirs.group = two }, "were formed separately"},
		"an older directory": {func(_, theirs *greeting) { theirs.start = 4 }, "start number 0.00000004, but has greeted with 0.00000005 before"},
		"a copy that runs too": {func(_, theirs *greeting) { theirs.start = 6 },
			"start number 0.00000006, but has greeted with 0.00000005 before: its directory is an older copy, or in use twice"},
		"a later start":  {func(_, theirs *greeting) { theirs.start = 1 << 32 }, ""},
		"another memory": {func(_, theirs *greeting) { theirs.incarnation = other }, `not the one that the group knows as "b"`},
	} {
		t.Run(name, func(t *testing.T) {
			var told []string
			h := NewGreeter("", "", func(from, list, reason string) { told = append(told, from, list, reason) })
			h.own = own
			h.members = vsr.NewMembership([]vsr.Member{{ID: "a", Incarnation: other}, {ID: "b", Incarnation: memory}})
			require.NoError(t, h.Check("b", member.encode()))
			theirs := member
			c.change(&h.own, &theirs)
			err := h.Check("b", theirs.encode())
			if c.says == "" {
				require.NoError(t, err)
				require.Empty(t, told)
				return
			}
			require.ErrorContains(t, err, c.says)
			list := ""
			if name == "another list" {
				list = theirs.list
			}
			require.Equal(t, err, h.Check("b", theirs.encode()))
			require.Equal(t, []string{"b", list, err.Error()}, told, "the replica is told once")
		})
	}
}

// Whatever a stranger sends, it is refused, and nothing is reported to the replica or remembered.
func TestStrangersAreRefused(t *testing.T) {
	h := NewGreeter("smr", "a b", func(string, string, string) { t.Error("the replica is told of a stranger") })
	h.members = vsr.NewMembership([]vsr.Member{{ID: "a"}, {ID: "b"}})
	for _, list := range []string{"a b", "a b c"} {
		theirs := greeting{group: vsr.GroupID{1}, incarnation: vsr.Incarnation{1}, start: 5, name: "smr", list: list}
		require.ErrorContains(t, h.Check("c", theirs.encode()),
			`"c" is not a member here: this replica is configured with the members a b, it with `+list)
	}
	require.Empty(t, h.starts)
}

// A replica that holds no group keeps no start numbers.
func TestNoStartsAreKeptWithoutAGroup(t *testing.T) {
	h := NewGreeter("smr", "a b", func(string, string, string) {})
	h.members = vsr.NewMembership([]vsr.Member{{ID: "a"}, {ID: "b"}})
	for i := range byte(100) {
		theirs := greeting{group: vsr.GroupID{1}, incarnation: vsr.Incarnation{i}, start: 5, name: "smr", list: "a b"}
		require.NoError(t, h.Check("b", theirs.encode()))
	}
	require.Empty(t, h.starts)
}

// A greeting is read back as it was written, and nothing else is read as one.
func FuzzGreeting(f *testing.F) {
	whole := greeting{group: vsr.GroupID{1}, incarnation: vsr.Incarnation{2}, start: 3, confirmed: true, name: "smr", list: "a b c"}
	f.Add(whole.encode())
	f.Add(whole.encode()[:40])
	f.Add([]byte{version + 1})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := decode(b)
		if err != nil {
			return
		}
		again, err := decode(g.encode())
		require.NoError(t, err)
		require.Equal(t, g, again)
	})
}

func TestGreetingOfAnotherVersion(t *testing.T) {
	_, err := decode([]byte{version + 1, 2, 3})
	require.ErrorContains(t, err, "version 4 of the protocol, this replica 3")
	_, err = decode([]byte{version, 2, 3})
	require.ErrorContains(t, err, "has 3 bytes and does not parse")
}
