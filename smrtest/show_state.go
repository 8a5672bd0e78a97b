package smrtest

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/smr-go/smr"
)

// stateOf returns the state of a machine as text: what its String method returns, or else its snapshot,
// or "" if that is not text.
func stateOf(m smr.StateMachine) (text string) {
	err := guard("the state", func() error {
		if s, ok := m.(fmt.Stringer); ok {
			text = s.String()
			return nil
		}
		w, err := m.Snapshot()
		if err != nil {
			return err
		}
		var b strings.Builder
		if _, err := w.WriteTo(&b); err != nil {
			return err
		}
		if text = strings.TrimSpace(b.String()); !printable(text[:min(len(text), muchState)]) {
			text = ""
		}
		return nil
	})
	if err != nil {
		return ""
	}
	if len(text) > muchState {
		text = strings.ToValidUTF8(text[:muchState], "") + "…"
	}
	return text
}

// muchState is the most bytes of a state that are shown.
const muchState = 300

// printable reports whether a text can be shown as it is. It ignores a rune that is cut off at the end.
func printable(text string) bool {
	for i, r := range text {
		if r == utf8.RuneError && i < len(text)-utf8.UTFMax || r != '\n' && r != '\t' && r != utf8.RuneError && !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
