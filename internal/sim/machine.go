package sim

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
)

// machine is the replicated state: keys with lists that are appended to, of which the length, a
// digest and the last value are kept. Its results say what was there before, so that an operation
// lost, doubled or out of place shows in the next.
type machine struct {
	keys    [keys]value
	version uint64 // op of the last command applied
	digest  uint64 // of all commands applied, and their results
}

const keys = 8

type value struct {
	count  uint64
	digest uint64
	last   []byte
}

// A command: a kind, a key, a number that no other command has, the length that compare asks for,
// then filling.
const (
	appends      = 1 // append to the list
	compares     = 2 // append if the list has the length asked for
	commandBytes = 18
)

func command(kind, key byte, id, length uint64, fill int) []byte {
	b := append(make([]byte, 0, commandBytes+fill), kind, key)
	b = binary.LittleEndian.AppendUint64(b, id)
	b = binary.LittleEndian.AppendUint64(b, length)
	for i := range fill {
		b = append(b, byte(id>>(i%8)))
	}
	return b
}

// commandID returns the number that no other command has.
func commandID(body []byte) uint64 { return binary.LittleEndian.Uint64(body[2:]) }

// apply appends, and returns whether it did, the length before, and a digest of the list before.
func (m *machine) apply(op uint64, body []byte) []byte {
	v := &m.keys[body[1]%keys]
	result := binary.LittleEndian.AppendUint64([]byte{1}, v.count)
	result = binary.LittleEndian.AppendUint64(result, v.digest)
	if body[0] == compares && binary.LittleEndian.Uint64(body[10:]) != v.count {
		result[0] = 0
	} else {
		*v = value{v.count + 1, mix(v.digest, body), slices.Clone(body)}
	}
	m.version = op
	m.digest = mix(mix(m.digest, body), result)
	return result
}

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

// append writes the state, for a snapshot.
func (m *machine) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, m.version)
	b = binary.LittleEndian.AppendUint64(b, m.digest)
	for i := range m.keys {
		v := &m.keys[i]
		b = binary.LittleEndian.AppendUint64(b, v.count)
		b = binary.LittleEndian.AppendUint64(b, v.digest)
		b = binary.LittleEndian.AppendUint64(b, uint64(len(v.last)))
		b = append(b, v.last...)
	}
	return b
}

// restore reads what append wrote.
func (m *machine) restore(b []byte) error {
	*m = machine{}
	next := func() (n uint64) {
		if len(b) >= 8 {
			n, b = binary.LittleEndian.Uint64(b), b[8:]
		}
		return n
	}
	m.version, m.digest = next(), next()
	for i := range m.keys {
		v := value{count: next(), digest: next()}
		n := next()
		if n > uint64(len(b)) {
			return fmt.Errorf("state ends inside key %d", i)
		}
		v.last, b = slices.Clone(b[:n]), b[n:]
		m.keys[i] = v
	}
	if len(b) > 0 {
		return fmt.Errorf("%d bytes behind the state", len(b))
	}
	return nil
}

// sum is a hash of the whole state.
func (m *machine) sum() uint64 {
	h := fnv.New64a()
	h.Write(m.append(nil))
	return h.Sum64()
}
