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
		"another group":      {func(_, theirs *greeting) { theirs.group = two }, "were formed apart"},
		"an older directory": {func(_, theirs *greeting) { theirs.start = 4 }, "start number 4, and has greeted with 5 before"},
		"another memory":     {func(_, theirs *greeting) { theirs.incarnation = other }, `not the one that the group knows as "b"`},
	} {
		t.Run(name, func(t *testing.T) {
			told := false
			h := NewGreeter("", "", func(string, string) { told = true })
			h.own = own
			h.members = vsr.NewMembership([]vsr.Member{{ID: "a", Incarnation: other}, {ID: "b", Incarnation: memory}})
			require.NoError(t, h.Check("b", member.encode()))
			theirs := member
			c.change(&h.own, &theirs)
			err := h.Check("b", theirs.encode())
			if c.says == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.says)
			}
			require.Equal(t, name == "another list", told)
		})
	}
}

// A replica that holds no group keeps no start numbers.
func TestStrangersAreNotRemembered(t *testing.T) {
	h := NewGreeter("smr", "a b", func(string, string) {})
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
	require.ErrorContains(t, err, "version 2 of the protocol, this replica 1")
	_, err = decode([]byte{version, 2, 3})
	require.ErrorContains(t, err, "has 3 bytes and does not parse")
}
