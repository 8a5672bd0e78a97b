package fault

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// A script becomes the faults that its bytes stand for.
func TestScript(t *testing.T) {
	const all = ^Class(0)
	got := Script([]byte("\x00\x01\x0a\x14\x00\x00\x00\x13"+"\x0a\x12\x14\x0a\x01\x02\x00\x00"+
		"\x0f\x02\xff\x00\x00\x00\x00\x00"+"short"), all, 3, time.Second)
	assert.Equal(t, []Fault{
		{At: 100 * time.Millisecond, Kind: Crash, Host: 1, For: 400 * time.Millisecond, N: 3, Seed: 0x13},
		{At: 500 * time.Millisecond, Kind: Cut, Host: 2, To: 1, For: 100 * time.Millisecond,
			After: &Trigger{Host: 2, When: Sent, Nth: 3}},
	}, got, "the third comes after the end")
	assert.Empty(t, Script(make([]byte, 80), 0, 3, time.Second))
	for _, f := range Script(make([]byte, 80), DiskClass, 3, time.Second) {
		assert.Equal(t, SlowDisk, f.Kind)
	}
}
