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
	"github.com/smr-go/smr/internal/contract"
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
	resultBytes  = 17
)

// listWork returns the work that smr itself is tested with. fill is the largest number of bytes that a command has
// beyond commandBytes; reads is the part of reads in all operations, and compares that of compares in all commands.
func listWork(fill int, reads, compares float64) *Work {
	return &Work{
		Kit: contract.Kit{
			New:    func() smr.StateMachine { return &testMachine{} },
			Digest: func(m smr.StateMachine) uint64 { return m.(*testMachine).digest },
		},
		Next:     func(r *rand.Rand) Operation { return nextOperation(r, fill, reads, compares) },
		Named:    namedOperation,
		Model:    &testModel,
		Distinct: true,
	}
}

// Work returns the listWork with these parameters.
func (c TestCalls) Work() *Work { return listWork(c.Fill, c.Reads, c.Compares) }

func listsOf(p *Setup) *Work { return p.Lists.Work() }

// runSeed performs the run of a seed with the test machine. The watcher may be nil.
func runSeed(seed uint64, watcher Watcher) *Report {
	p, t := Draw(seed)
	p.Lists = drawCalls(seed)
	if s := world.NewStream(seed, "results"); s.Chance(0.2) {
		p.Results = world.OneOf[int64](s, resultBytes, 4*resultBytes, 1<<10)
	}
	return Run(&Schedule{Setup: *p}, t, p.Lists.Work(), watcher)
}

// drawCalls draws the parameters for a seed.
func drawCalls(seed uint64) TestCalls {
	s := world.NewStream(seed, "work")
	return TestCalls{world.OneOf(s, 10, 100, 1500), world.OneOf(s, 0.1, 0.3, 0.6), world.OneOf(s, 0, 0.3)}
}

func nextOperation(r *rand.Rand, fill int, reads, compare float64) Operation {
	key := byte(r.IntN(keys))
	if r.Float64() < reads {
		return readOf(key)
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
	return appendOf(b)
}

func readOf(key byte) Operation {
	return Operation{Name: fmt.Sprintf("read%d", key), Input: testInput{key: key}, Read: func(m smr.StateMachine) any {
		l := &m.(*testMachine).keys[key]
		return testOutput{l.count, l.digest, false}
	}}
}

func appendOf(body []byte) Operation {
	return Operation{Name: "append", Body: body, Input: testInput{body[1], body}, Output: func(result []byte) any {
		return testOutput{binary.LittleEndian.Uint64(result[1:]), binary.LittleEndian.Uint64(result[9:]), result[0] == 1}
	}}
}

// namedOperation returns an operation of a schedule.
func namedOperation(name string, seed uint64, body []byte) (Operation, error) {
	var key byte
	switch _, err := fmt.Sscanf(name, "read%d", &key); {
	case err == nil && key < keys:
		return readOf(key), nil
	case name != "append" || body != nil && len(body) < commandBytes:
		return Operation{}, fmt.Errorf("no list has %q", name)
	case body != nil:
		return appendOf(body), nil
	}
	return nextOperation(rand.New(rand.NewPCG(seed, 0)), 0, 0, 0), nil
}

// Apply appends, and returns whether it did, the length before, and the list's digest before.
func (m *testMachine) Apply(op smr.Op) []byte {
	l := &m.keys[op.Body[1]%keys]
	result := binary.LittleEndian.AppendUint64(append(make([]byte, 0, resultBytes), 1), l.count)
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

// Digest determines the output. It is a part of the run's hash.
func (o testOutput) Digest() uint64 { return o.count ^ o.digest }

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
