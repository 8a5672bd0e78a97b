package contract

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

// diary is a good machine: what it was told, and how often.
type diary struct {
	text  []byte
	count byte
}

func (d *diary) Apply(op smr.Op) []byte {
	d.text = append(d.text, op.Body...)
	d.count++
	return []byte{d.count}
}

func (d *diary) Snapshot() (io.WriterTo, error) {
	return bytes.NewReader(append([]byte{d.count}, d.text...)), nil
}

func (d *diary) Restore(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err == nil {
		d.count, d.text = b[0], b[1:]
	}
	return err
}

// broken returns the error of the first operation that breaks a rule, of a few.
func broken(t *testing.T, k *Kit) *Broken {
	w, err := NewWitness(k, 1, 3)
	require.NoError(t, err)
	for n := range uint64(50) {
		if _, _, err := w.Execute(smr.Op{Number: n + 3, Body: fmt.Append(nil, "entry ", n)}); err != nil {
			require.IsType(t, &Broken{}, err)
			return err.(*Broken)
		}
	}
	return nil
}

func TestWitnessPassesAGoodMachine(t *testing.T) {
	assert.Nil(t, broken(t, &Kit{New: func() smr.StateMachine { return &diary{} }}))
}

// reuser returns the same buffer from each Apply.
type reuser struct {
	diary
	buffer []byte
}

func (m *reuser) Apply(op smr.Op) []byte {
	m.buffer = append(m.buffer[:0], m.diary.Apply(op)...)
	return m.buffer
}

// A result that changes when the next one is returned is told with both operations.
func TestWitnessSeesResultsChange(t *testing.T) {
	b := broken(t, &Kit{New: func() smr.StateMachine { return &reuser{} },
		Describe: func(op smr.Op) string { return fmt.Sprintf("op %d, write", op.Number) }})
	require.NotNil(t, b)
	assert.Equal(t, LeavesResult.Name, b.Rule)
	assert.Contains(t, b.Text, `op 3, write returned "\x01", and after op 4, write that result is "\x02"`)
	assert.Contains(t, b.Text, LeavesResult.Remedy)
}

// restless does by chance what it does, once it was restored.
type restless struct {
	diary
	restored bool
}

func (m *restless) Restore(r io.Reader) error {
	m.restored = true
	return m.diary.Restore(r)
}

func (m *restless) Apply(op smr.Op) []byte {
	result := m.diary.Apply(op)
	if m.restored {
		result[0] = byte(rand.Uint32())
	}
	return result
}

// What differs by chance is not blamed on a snapshot.
func TestWitnessTellsChance(t *testing.T) {
	b := broken(t, &Kit{New: func() smr.StateMachine { return &restless{} }})
	require.NotNil(t, b)
	assert.Equal(t, Deterministic.Name, b.Rule)
	assert.Contains(t, b.Text, "restored from one snapshot")
}

// keeper keeps bodies.
type keeper struct{ diary }

func (m *keeper) Apply(op smr.Op) []byte {
	m.text = op.Body
	return nil
}

// changer changes bodies, and giver returns a part of them.
type (
	changer struct{ diary }
	giver   struct{ diary }
)

func (*changer) Apply(op smr.Op) []byte { op.Body[0]++; return nil }
func (*giver) Apply(op smr.Op) []byte   { return op.Body[1:] }

// A machine that keeps, changes or returns a body is found at its first operation.
func TestBodiesAreLent(t *testing.T) {
	for text, m := range map[string]func() smr.StateMachine{
		"the state changed when the body was overwritten": func() smr.StateMachine { return &keeper{} },
		`Apply changed op.Body to "fntry 0"`:              func() smr.StateMachine { return &changer{} },
		"the result is a part of op.Body":                 func() smr.StateMachine { return &giver{} },
	} {
		b := broken(t, &Kit{New: m})
		require.NotNil(t, b, text)
		assert.Equal(t, LeavesBody.Name, b.Rule)
		assert.EqualValues(t, 3, b.Op)
		assert.Contains(t, b.Text, `op 3, "entry 0": `+text)
	}
}

// In a Clean place a body is the machine's own.
func TestCleanBodiesStay(t *testing.T) {
	m, err := (&Kit{New: func() smr.StateMachine { return &keeper{} }}).Make(Clean)
	require.NoError(t, err)
	for _, body := range []string{"one", "two"} {
		_, err := m.Apply(smr.Op{Body: []byte(body)})
		require.NoError(t, err)
		assert.Equal(t, body, string(m.User.(*keeper).text))
	}
}
