package excerpt

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Where two long texts differ is what is shown of them; of short ones all is.
func TestApart(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789"), 100)
	changed := append(bytes.Clone(long[:500]), "XYZ"...)
	changed = append(changed, long[503:]...)
	for name, x := range map[string]struct {
		a, b   []byte
		wa, wb string
	}{
		"short":            {[]byte("same 1"), []byte("same 2"), `"same 1"`, `"same 2"`},
		"at the beginning": {long, []byte("x"), `"012345678901234567890123456789012345678901234567890123456789"... of 1000 bytes`, `"x"`},
		"in the middle": {long, changed, `..."012345678901234567890123456789012345678901234567890123456789"... from byte 480 of 1000`,
			`..."01234567890123456789XYZ3456789012345678901234567890123456789"... from byte 480 of 1000`},
		"one goes on": {long, long[:999], `..."901234567890123456789" from byte 979 of 1000`, `..."90123456789012345678" from byte 979 of 999`},
	} {
		a, b := Apart(x.a, x.b)
		assert.Equal(t, x.wa, a, name)
		assert.Equal(t, x.wb, b, name)
	}
}
