package vsr

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// S6: two replicas that take each other's memory for lost do not report that to each other without end.
func TestReportsOfALossAreNotAnswered(t *testing.T) {
	g := newTestGroup(3)
	g.fast = true
	g.form()
	a, b := g.hosts[0], g.hosts[1]
	a.forgot, b.forgot = true, true
	for _, pair := range [][2]*host{{a, b}, {b, a}} {
		r := pair[0].core
		r.memories.raise(pair[1].index, Acknowledged{Viewstamp{1, 0, 1}, 1})
		r.lose(pair[1].index, Viewstamp{})
	}
	g.heartbeat(a)
	g.stabilize()
	require.NoError(t, g.broken)
	require.NotNil(t, a.core, "it holds what it has acknowledged")
	require.NotNil(t, b.core)
}

// Messages share the table of acknowledgements, and later acknowledgements leave them as they are. A lower
// acknowledgement changes nothing, and of two of one entry the later process's stays.
func TestMemoriesInMessagesDoNotChange(t *testing.T) {
	m := memories{lost: make([]bool, 2)}
	require.Nil(t, m.share())
	high, low := Acknowledged{Viewstamp{1, 2, 3}, 1}, Acknowledged{Viewstamp{1, 1, 9}, 4}
	m.raise(0, high)
	sent := m.share()
	m.raise(1, low)
	m.raise(0, Acknowledged{high.Last, 2})
	m.raise(0, high)
	m.raise(0, low)
	require.Equal(t, []Acknowledged{high, {}}, sent)
	require.Equal(t, []Acknowledged{{high.Last, 2}, low}, m.share())
}

// S6: a description of a log that carries what its sender has acknowledged, and lacks, is not counted. The sender counts as
// silent from then on, also if its directory is emptied and it asks for its group.
func TestADescriptionProvesItsOwnLoss(t *testing.T) {
	r := member(t, 2)
	hear(r, 1, &DoViewChange{View: 3, Last: stampOf(1, 0, 1), Commit: 1, First: 1,
		Acknowledged: []Acknowledged{{}, {Last: stampOf(1, 1, 2)}, {}}})
	require.True(t, r.memories.lost[1])
	require.NoError(t, r.Check())
	hear(r, 1, &Question{Nonce: 1})
	require.False(t, r.heardLately(1))
	require.NoError(t, r.Check())
}
