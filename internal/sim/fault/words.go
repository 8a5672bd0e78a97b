package fault

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// words reads a line word by word, up to the first word that is wrong.
type words struct {
	left []string
	err  error
}

func (w *words) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *words) next() string {
	if len(w.left) == 0 {
		w.fail("the line ends too soon")
		return ""
	}
	word := w.left[0]
	w.left = w.left[1:]
	return word
}

func (w *words) expect(word string) {
	if got := w.next(); got != word {
		w.fail("found %q, expected %q", got, word)
	}
}

// parsed reads a word with a function that parses it.
func parsed[T any](w *words, parse func(string) (T, error)) T {
	value, err := parse(w.next())
	if err != nil {
		w.fail("%w", err)
	}
	return value
}

func (w *words) duration() time.Duration { return parsed(w, time.ParseDuration) }

func (w *words) integer() int64 {
	return parsed(w, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
}

func (w *words) unsigned() uint64 {
	return parsed(w, func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) })
}

func (w *words) host() int { return parsed(w, parseHost) }

func parseHost(name string) (int, error) {
	switch {
	case name == "any":
		return -1, nil
	case len(name) != 1 || name[0] < 'a' || name[0] > 'g':
		return 0, fmt.Errorf("%q is not a replica, which are a to g", name)
	}
	return int(name[0] - 'a'), nil
}

// side reads names with commas between them, as bits.
func (w *words) side() (bits int64) {
	for _, name := range strings.Split(w.next(), ",") {
		host, err := parseHost(name)
		if err != nil {
			w.fail("%w", err)
		}
		bits |= 1 << max(host, 0)
	}
	return bits
}

// thousandths reads how many of 1,000.
func (w *words) thousandths() int64 {
	word, ok := strings.CutSuffix(w.next(), "/1000")
	n, err := strconv.ParseInt(word, 10, 64)
	if !ok || err != nil {
		w.fail("%q is not a part of 1,000, such as 250/1000", word)
	}
	return n
}
