// Package excerpt shows bytes in texts for people.
package excerpt

import (
	"fmt"
	"strconv"
	"strings"
)

// most is the largest number of bytes that is shown.
const most = 60

// Of returns the beginning of b in quotes: in backquotes, the way JSON is best read, if double quotes would have to
// escape something.
func Of(b []byte) string {
	if len(b) > most {
		return fmt.Sprintf("%s... of %d bytes", Of(b[:most]), len(b))
	}
	q := strconv.Quote(string(b))
	if strings.Contains(q, `\`) && strconv.CanBackquote(string(b)) {
		return "`" + string(b) + "`"
	}
	return q
}

// Apart returns a and b in quotes. If one of them is long, it returns the bytes around the first difference.
func Apart(a, b []byte) (string, string) {
	if max(len(a), len(b)) <= most {
		return Of(a), Of(b)
	}
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	return around(a, at), around(b, at)
}

// around returns the bytes around a place in quotes.
func around(b []byte, at int) string {
	from := max(0, at-most/3)
	to := min(len(b), from+most)
	if from == 0 {
		return Of(b)
	}
	text := "..." + Of(b[min(from, to):to])
	if to < len(b) {
		text += "..."
	}
	return fmt.Sprintf("%s from byte %d of %d", text, from, len(b))
}
