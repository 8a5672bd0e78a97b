package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// What a script says is what its bytes stand for, and a schedule can say it too.
func TestScript(t *testing.T) {
	const all = ^Sorts(0)
	got := Script([]byte("\x00\x01\x0a\x14\x00\x00\x00\x13"+"\x09\x12\x14\x0a\x01\x02\x00\x00"+"\x0f\x02\xff\x00\x00\x00\x00\x00"+"short"), all, 3, time.Second)
	assert.Equal(t, []Fault{
		{At: 100 * time.Millisecond, Kind: Crash, Host: 1, For: 400 * time.Millisecond, N: 3, Seed: 0x13},
		{At: 500 * time.Millisecond, Kind: Cut, Host: 2, To: 1, For: 100 * time.Millisecond, After: &Aim{Host: 2, When: Sent, Nth: 3}},
	}, got, "the third comes after the end")
	assert.Empty(t, Script(make([]byte, 80), 0, 3, time.Second))
	for _, f := range Script(make([]byte, 80), DiskFaults, 3, time.Second) {
		assert.Equal(t, SlowDisk, f.Kind)
	}
}

// A group survives whatever bytes say.
func FuzzScript(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x00\x28\x20\x00\x00\x00\x00"))
	f.Add([]byte("\x06\x01\x28\x28\x00\x00\x00\x00\x01\x00\x0a\x14\x02\x03\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := Calm(1)
		faults := Script(b, ^Sorts(0), p.Replicas, p.Trouble)
		for i := range faults {
			read, err := ParseFault(faults[i].String())
			assert.NoError(t, err)
			assert.Equal(t, faults[i].String(), read.String())
		}
		assert.Nil(t, Play(p, nil, faults, ListWork(10, 0.3, 0), nil).Violation)
	})
}
