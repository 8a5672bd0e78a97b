package sim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"

	"github.com/anishathalye/porcupine"
	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/sim/world"
)

// testMachine is the state machine that smr itself is tested with: keys with lists to append to. The state holds the
// length, a digest and the last value of each. A result describes the list before the operation, so that an operation
// that is lost, doubled or out of place shows in the next result.
type testMachine struct {
	keys   [keys]list
	digest uint64 // of all commands applied, and their results
}

const keys = 8

type list struct {
	count  uint64
	digest uint64
	last   []byte
}

// A command: a kind, a key, a number that no other command has, then filling.
const (
	appends      = 1 // append to the list
	compares     = 2 // append if the last two bits of the list's digest are those of the number
	commandBytes = 10
)

// TestWork returns the work that smr itself is tested with. fill is the largest number of bytes that a command has beyond
// commandBytes; reads is the part of reads in all operations, and compares that of compares in all commands.
func TestWork(fill int, reads, compares float64) *Work {
	return &Work{
		New:      func() smr.StateMachine { return &testMachine{} },
		Next:     func(r *rand.Rand) Operation { return nextOperation(r, fill, reads, compares) },
		Digest:   func(m smr.StateMachine) uint64 { return m.(*testMachine).digest },
		Model:    &testModel,
		Distinct: true,
	}
}

// TestCalls are the parameters of TestWork in a schedule. They are zero for other work.
type TestCalls struct {
	Fill     int
	Reads    float64
	Compares float64
}

// Work returns the TestWork with these parameters.
func (c TestCalls) Work() *Work { return TestWork(c.Fill, c.Reads, c.Compares) }

// drawCalls draws the parameters for a seed.
func drawCalls(seed uint64) TestCalls {
	s := world.NewStream(seed, "work")
	return TestCalls{world.OneOf(s, 10, 100, 1500), world.OneOf(s, 0.1, 0.3, 0.6), world.OneOf(s, 0, 0.3)}
}

func nextOperation(r *rand.Rand, fill int, reads, compare float64) Operation {
	key := byte(r.IntN(keys))
	if r.Float64() < reads {
		return Operation{Name: "read", Input: testInput{key: key}, Read: func(m smr.StateMachine) any {
			l := &m.(*testMachine).keys[key]
			return testOutput{l.count, l.digest, false}
		}}
	}
	kind := byte(appends)
	if r.Float64() < compare {
		kind = compares
	}
	number, n := r.Uint64(), r.IntN(max(fill, 1))
	b := append(make([]byte, 0, commandBytes+n), kind, key)
	b = binary.LittleEndian.AppendUint64(b, number)
	for ; n > 0; n-- {
		b = append(b, byte(n))
	}
	return Operation{Name: "append", Body: b, Input: testInput{key, b}, Output: func(result []byte) any {
		return testOutput{binary.LittleEndian.Uint64(result[1:]), binary.LittleEndian.Uint64(result[9:]), result[0] == 1}
	}}
}

// Apply appends, and returns whether it did, the length before, and the list's digest before.
func (m *testMachine) Apply(op smr.Op) []byte {
	l := &m.keys[op.Body[1]%keys]
	result := binary.LittleEndian.AppendUint64(append(make([]byte, 0, 17), 1), l.count)
	result = binary.LittleEndian.AppendUint64(result, l.digest)
	if l.takes(op.Body) {
		*l = list{l.count + 1, mix(l.digest, op.Body), append(l.last[:0], op.Body...)}
	} else {
		result[0] = 0
	}
	m.digest = mix(mix(m.digest+op.Number, op.Body), result)
	return result
}

func (l *list) takes(body []byte) bool {
	return body[0] != compares || (uint64(body[2])^l.digest)&3 == 0
}

// Snapshot is short enough to be written at once.
func (m *testMachine) Snapshot() (io.WriterTo, error) {
	size := 8
	for i := range m.keys {
		size += 24 + len(m.keys[i].last)
	}
	return bytes.NewReader(m.append(make([]byte, 0, size))), nil
}

func (m *testMachine) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, m.digest)
	for i := range m.keys {
		l := &m.keys[i]
		b = binary.LittleEndian.AppendUint64(b, l.count)
		b = binary.LittleEndian.AppendUint64(b, l.digest)
		b = binary.LittleEndian.AppendUint64(b, uint64(len(l.last)))
		b = append(b, l.last...)
	}
	return b
}

// Restore reads what append wrote.
func (m *testMachine) Restore(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	*m = testMachine{}
	next := func() (n uint64) {
		if len(b) >= 8 {
			n, b = binary.LittleEndian.Uint64(b), b[8:]
		}
		return n
	}
	m.digest = next()
	for i := range m.keys {
		l := list{count: next(), digest: next()}
		n := next()
		if n > uint64(len(b)) {
			return fmt.Errorf("state ends inside key %d", i)
		}
		l.last, b = slices.Clone(b[:n]), b[n:]
		m.keys[i] = l
	}
	if len(b) > 0 {
		return fmt.Errorf("%d bytes behind the state", len(b))
	}
	return nil
}

type testInput struct {
	key  byte
	body []byte // nil: a read
}

type testOutput struct {
	count, digest uint64
	done          bool
}

// testModel is the model of one key, for porcupine.
var testModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := make([][]porcupine.Operation, keys)
		for _, o := range history {
			key := o.Input.(testInput).key
			parts[key] = append(parts[key], o)
		}
		return parts
	},
	Init: func() any { return testOutput{} },
	Step: func(state, input, output any) (bool, any) {
		was, in := state.(testOutput), input.(testInput)
		l := list{count: was.count, digest: was.digest}
		done := in.body != nil && l.takes(in.body)
		next := was
		if done {
			next = testOutput{was.count + 1, mix(was.digest, in.body), false}
		}
		return output == any(testOutput{was.count, was.digest, done}), next
	},
	DescribeOperation: func(input, output any) string {
		in, got := input.(testInput), output
		if in.body == nil {
			return fmt.Sprintf("read %d: %v", in.key, got)
		}
		return fmt.Sprintf("append %d %x: %v", in.key, in.body[2:commandBytes], got)
	},
	DescribeState: func(state any) string {
		s := state.(testOutput)
		return fmt.Sprintf("%d values, %x", s.count, s.digest)
	},
}

// mix adds bytes to a sum that is the same in every process.
func mix(sum uint64, b []byte) uint64 {
	for ; len(b) >= 8; b = b[8:] {
		sum = (sum ^ binary.LittleEndian.Uint64(b)) * 0x9e3779b97f4a7c15
		sum ^= sum >> 31
	}
	for _, c := range b {
		sum = (sum ^ uint64(c)) * 1099511628211
	}
	return sum
}
