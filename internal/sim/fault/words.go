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
	form string // a line of the fault's kind, without its time; "" until the kind is known
	err  error
}

func (w *words) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// next returns the next word. If the line has ended, the error reports that what is missing.
func (w *words) next(what string) string {
	if len(w.left) == 0 {
		w.fail("%s is missing", what)
		return ""
	}
	word := w.left[0]
	w.left = w.left[1:]
	return word
}

func (w *words) expect(word string) {
	if got := w.next(fmt.Sprintf("the word %q", word)); got != word {
		w.fail("found %q, expected %q", got, word)
	}
}

// parsed reads a word with a function that parses it.
func parsed[T any](w *words, what string, parse func(string) (T, error)) T {
	value, err := parse(w.next(what))
	if err != nil {
		w.fail("%w", err)
	}
	return value
}

func (w *words) duration() time.Duration { return parsed(w, "a duration", time.ParseDuration) }

func (w *words) integer() int64 {
	return parsed(w, "a number", func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
}

func (w *words) unsigned() uint64 {
	return parsed(w, "a number", func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) })
}

func (w *words) host() int { return parsed(w, "a replica", parseHost) }

// parseHost returns the replica that a letter names, whether the group has it or not.

func parseHost(name string) (int, error) {
	switch {
	case name == "any":
		return -1, nil
	case len(name) != 1 || name[0] < 'a' || name[0] > 'z':
		return 0, fmt.Errorf("there is no replica %q: a replica is a letter", name)
	}
	return int(name[0] - 'a'), nil
}

// side reads names with commas between them, as bits.
func (w *words) side() (bits int64) {
	for _, name := range strings.Split(w.next("one side"), ",") {
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
	word, ok := strings.CutSuffix(w.next("a part of 1,000"), "/1000")
	n, err := strconv.ParseInt(word, 10, 64)
	if !ok || err != nil {
		w.fail("%q is not a part of 1,000", word)
	}
	return n
}
