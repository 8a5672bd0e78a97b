// Package excerpt shows bytes in texts for people.
package excerpt

import (
	"fmt"
	"strconv"
	"strings"
)

// Of returns the beginning of b in quotes: in backquotes, the way JSON is best read, if double quotes would have to
// escape something.
func Of(b []byte) string {
	const most = 60
	if len(b) > most {
		return fmt.Sprintf("%s... of %d bytes", Of(b[:most]), len(b))
	}
	q := strconv.Quote(string(b))
	if strings.Contains(q, `\`) && strconv.CanBackquote(string(b)) {
		return "`" + string(b) + "`"
	}
	return q
}
