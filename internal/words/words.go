// Package words describes messages, saves and entries in words.
package words

import (
	"fmt"
	"strings"

	"github.com/smr-go/smr/internal/vsr"
)

// Message returns the kind of a message, a space, and its fields.
func Message(m vsr.Message) string {
	fields := fmt.Sprintf("%+v", m)
	switch m := m.(type) {
	case *vsr.Prepare:
		fields = fmt.Sprintf("view=%d after=%v %s commit=%d", m.View, m.Prev, Entries(m.Entries), m.Commit)
	case *vsr.NewState:
		fields = fmt.Sprintf("view=%d best=%v after=%v gone=%v %s", m.View, m.Best, m.Prev, m.Gone, Entries(m.Entries))
	case *vsr.Request:
		fields = fmt.Sprintf("view=%d attempt=%d %d requests", m.View, m.Attempt, len(m.Requests))
	case *vsr.SnapshotChunk:
		fields = fmt.Sprintf("%v chunk=%d %d bytes", m.Snapshot.Last, m.Chunk, len(m.Data))
	case *vsr.Part:
		fields = fmt.Sprintf("stream=%d part=%d last=%v %d bytes", m.Stream, m.Number, m.Last, len(m.Data))
	case *vsr.Relay:
		fields = fmt.Sprintf("from=%d to=%d unheard=%v %s", m.From, m.To, m.Unheard, Message(m.Message))
	}
	return vsr.KindOf(m).String() + " " + strings.TrimPrefix(fields, "&")
}

// Save returns the number of a save and its changes.
func Save(s *vsr.Save) string {
	text := fmt.Sprintf("#%d view=%d start=%s %s", s.Seq, s.Head.View, vsr.StartText(s.Head.Start), Entries(s.Entries))
	if s.From > 0 {
		text += fmt.Sprintf(" from=%d", s.From)
	}
	if s.Base != nil {
		text += fmt.Sprintf(" base=%v", *s.Base)
	}
	return text
}

// Entries returns the viewstamps of the first entry and the last.
func Entries(all []vsr.Entry) string {
	if len(all) == 0 {
		return "[]"
	}
	return fmt.Sprintf("[%v..%v]", all[0].Stamp(), all[len(all)-1].Stamp())
}
