package sim

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/vsr"
)

// A careful witness, and copies of the machine elsewhere, change nothing in a run.
func TestCarefulRunIsTheSame(t *testing.T) {
	p, hazards := Draw(3)
	once := Play(p, hazards, nil, drawLists(3).Work(), nil)
	require.Nil(t, once.Violation)
	w := drawLists(3).Work()
	calls := 0
	w.Careful, w.Elsewhere = true, func(do func()) { calls++; do() }
	again := Play(p, hazards, nil, w, nil)
	assert.Nil(t, again.Violation)
	assert.Equal(t, once.Hash, again.Hash)
	assert.NotZero(t, calls)
}

// reuser returns the same buffer from each Apply.
type reuser struct {
	lists
	buffer []byte
}

func (m *reuser) Apply(op smr.Op) []byte {
	m.buffer = append(m.buffer[:0], m.lists.Apply(op)...)
	return m.buffer
}

// A result that changes when the next one is returned is told with both operations.
func TestCarefulSeesResultsChange(t *testing.T) {
	w := &Work{New: func() smr.StateMachine { return &reuser{} }, NameOf: func(body []byte) string { return string(bytes.ToUpper(body[:1])) }}
	c, err := newCareful(w)
	require.NoError(t, err)
	require.NoError(t, c.execute(&vsr.Entry{Op: 3, Body: []byte("a\x00........")}))
	err = c.execute(&vsr.Entry{Op: 4, Body: []byte("b\x00........")})
	assert.ErrorContains(t, err, `op 3, A "a\x00........" returned`)
	assert.ErrorContains(t, err, `after op 4, B "b`)
	assert.Equal(t, ruleResult, err.(*broken).rule)
}

// restless does by chance what it does, once it was restored.
type restless struct {
	lists
	restored bool
}

func (m *restless) Restore(r io.Reader) error {
	m.restored = true
	return m.lists.Restore(r)
}

func (m *restless) Apply(op smr.Op) []byte {
	result := m.lists.Apply(op)
	if m.restored {
		result[0] = byte(rand.Uint32())
	}
	return result
}

// What differs by chance is not blamed on a snapshot.
func TestCarefulTellsChance(t *testing.T) {
	c, err := newCareful(&Work{New: func() smr.StateMachine { return &restless{} }})
	require.NoError(t, err)
	err = nil
	for op := vsr.OpNumber(1); err == nil; op++ {
		err = c.execute(&vsr.Entry{Op: op, Body: []byte("a\x00........")})
	}
	assert.Equal(t, ruleDeterministic, err.(*broken).rule)
	assert.ErrorContains(t, err, "restored from one snapshot")
}
