package sim

import (
	"fmt"
	"strings"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vsr"
)

// show makes text of what stands in a trace.
func show(a any) string {
	switch a := a.(type) {
	case vsr.Message:
		return showMessage(a)
	case *vsr.Save:
		return showSave(a)
	case vsr.Index:
		return fault.Name(int(a))
	default:
		return fmt.Sprintf("%v", a)
	}
}

func showMessage(m vsr.Message) string {
	fields := fmt.Sprintf("%+v", m)
	switch m := m.(type) {
	case *vsr.Prepare:
		fields = fmt.Sprintf("view=%d after=%v %s commit=%d", m.View, m.Prev, showEntries(m.Entries), m.Commit)
	case *vsr.NewState:
		fields = fmt.Sprintf("view=%d best=%v after=%v gone=%v %s", m.View, m.Best, m.Prev, m.Gone, showEntries(m.Entries))
	case *vsr.Request:
		fields = fmt.Sprintf("view=%d attempt=%d %d requests", m.View, m.Attempt, len(m.Requests))
	case *vsr.SnapshotChunk:
		fields = fmt.Sprintf("%v chunk=%d %d bytes", m.Snapshot.Last, m.Chunk, len(m.Data))
	}
	return vsr.KindOf(m).String() + " " + strings.TrimPrefix(fields, "&")
}

func showSave(s *vsr.Save) string {
	text := fmt.Sprintf("#%d view=%d start=%d %s", s.Seq, s.Head.View, s.Head.Start, showEntries(s.Entries))
	if s.From > 0 {
		text += fmt.Sprintf(" from=%d", s.From)
	}
	if s.Base != nil {
		text += fmt.Sprintf(" base=%v", *s.Base)
	}
	return text
}

func showEntries(entries []vsr.Entry) string {
	if len(entries) == 0 {
		return "[]"
	}
	return fmt.Sprintf("[%v..%v]", entries[0].Stamp(), entries[len(entries)-1].Stamp())
}
