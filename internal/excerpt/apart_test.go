package excerpt

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Where two long texts differ is what is shown of them, with much around it; of shorter ones all is shown. Of bytes that
// are no text, less is.
func TestApart(t *testing.T) {
	digits := func(n int) string { return strings.Repeat("0123456789", n/10) + "0123456789"[:n%10] }
	binary := "\x00" + digits(99)
	for name, x := range map[string]struct{ a, b, wa, wb string }{
		"short":            {"same 1", "same 2", `"same 1"`, `"same 2"`},
		"medium":           {digits(400), "x", `"` + digits(400) + `"`, `"x"`},
		"at the beginning": {digits(1000), "x", `"` + digits(400) + `"... of 1000 bytes`, `"x"`},
		"in the middle": {digits(1000), digits(500) + "XYZ" + digits(1000)[503:],
			`..."789` + digits(397) + `"... from byte 367 of 1000`,
			`..."789` + digits(130) + "XYZ" + digits(400)[133:397] + `"... from byte 367 of 1000`},
		"one goes on": {digits(1000), digits(999),
			`..."6789` + digits(130) + `" from byte 866 of 1000`, `..."6789` + digits(129) + `" from byte 866 of 999`},
		"not text": {binary, "x", `"\x00` + digits(59) + `"... of 100 bytes`, `"x"`},
	} {
		a, b := Apart([]byte(x.a), []byte(x.b))
		assert.Equal(t, x.wa, a, name)
		assert.Equal(t, x.wb, b, name)
	}
	assert.Equal(t, `"`+digits(60)+`"... of 1000 bytes`, Of([]byte(digits(1000))))
	assert.Equal(t, `"`+digits(400)+`"... of 1000 bytes`, Much([]byte(digits(1000))))
}
