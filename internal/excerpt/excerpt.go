// Package excerpt shows bytes in texts for people.
package excerpt

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	most = 60  // the largest number of bytes that a report shows of a value that it mentions
	much = 400 // of a text that is wrong
)

// Of returns the beginning of b in quotes: in backquotes, the way JSON is best read, if double quotes would have to
// escape something.
func Of(b []byte) string { return beginning(b, most) }

// Much returns a longer beginning of b than Of does, if b is text, for a report that b is wrong.
func Much(b []byte) string { return beginning(b, limit(b)) }

func beginning(b []byte, n int) string {
	if len(b) > n {
		return fmt.Sprintf("%s... of %d bytes", quoted(b[:n]), len(b))
	}
	return quoted(b)
}

func quoted(b []byte) string {
	q := strconv.Quote(string(b))
	if strings.Contains(q, `\`) && strconv.CanBackquote(string(b)) {
		return "`" + string(b) + "`"
	}
	return q
}

// limit returns how much of bytes that are wrong is shown.
func limit(all ...[]byte) int {
	for _, b := range all {
		if !isText(b) {
			return most
		}
	}
	return much
}

func isText(b []byte) bool {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) && !unicode.IsSpace(r) }
	return utf8.Valid(b) && strings.IndexFunc(string(b), hidden) < 0
}

// Apart returns a and b in quotes. If one of them is long, it returns the bytes around the first difference.
func Apart(a, b []byte) (string, string) {
	n := limit(a, b)
	if max(len(a), len(b)) <= n {
		return quoted(a), quoted(b)
	}
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	return around(a, at, n), around(b, at, n)
}

// around returns n bytes around a place in quotes.
func around(b []byte, at, n int) string {
	from := max(0, at-n/3)
	to := min(len(b), from+n)
	if from == 0 {
		return beginning(b, n)
	}
	text := "..." + quoted(b[min(from, to):to])
	if to < len(b) {
		text += "..."
	}
	return fmt.Sprintf("%s from byte %d of %d", text, from, len(b))
}
