package smr

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/vsr"
)

// Members talk to each other if their greetings agree; otherwise the reason has what each says.
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
			h := &greeter{own: own, differs: func(ID, string) { told = true }, starts: map[vsr.Incarnation]uint64{},
				members: vsr.NewMembership([]vsr.Member{{ID: "a", Incarnation: other}, {ID: "b", Incarnation: memory}})}
			require.NoError(t, h.check("b", member.encode()))
			theirs := member
			c.change(&h.own, &theirs)
			err := h.check("b", theirs.encode())
			if c.says == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.says)
			}
			require.Equal(t, name == "another list", told)
		})
	}
}

// Who greets a replica that holds no group leaves nothing behind there.
func TestStrangersAreNotRemembered(t *testing.T) {
	h := &greeter{own: greeting{name: "smr", list: "a b"}, starts: map[vsr.Incarnation]uint64{}}
	for i := range byte(100) {
		theirs := greeting{group: vsr.GroupID{1}, incarnation: vsr.Incarnation{i}, start: 5, name: "smr", list: "a b"}
		require.NoError(t, h.check("b", theirs.encode()))
	}
	require.Empty(t, h.starts)
}

// A greeting is read back as it was written, and nothing else is read as one.
func FuzzGreeting(f *testing.F) {
	whole := greeting{group: vsr.GroupID{1}, incarnation: vsr.Incarnation{2}, start: 3, confirmed: true, name: "smr", list: "a b c"}
	f.Add(whole.encode())
	f.Add(whole.encode()[:40])
	f.Add([]byte{helloVersion + 1})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := parseHello(b)
		if err != nil {
			return
		}
		again, err := parseHello(g.encode())
		require.NoError(t, err)
		require.Equal(t, g, again)
	})
}

func TestGreetingOfAnotherVersion(t *testing.T) {
	_, err := parseHello([]byte{helloVersion + 1, 2, 3})
	require.ErrorContains(t, err, "version 2 of the protocol, this replica 1")
	_, err = parseHello([]byte{helloVersion, 2, 3})
	require.ErrorContains(t, err, "has 3 bytes and does not parse")
}
