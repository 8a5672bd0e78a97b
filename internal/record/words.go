package record

import (
	"fmt"
	"strings"

	"github.com/smr-go/smr/internal/excerpt"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/words"
)

// eventInWords returns the name of an event and its fields. name returns a member's name.
func eventInWords(e vsr.Event, name func(vsr.Index) string) string {
	kind := strings.TrimPrefix(fmt.Sprintf("%T", e), "*vsr.")
	fields := strings.TrimPrefix(fmt.Sprintf("%+v", e), "&")
	switch e := e.(type) {
	case *vsr.Receive:
		return fmt.Sprintf("Receive from %s: %s", name(e.From), words.Message(e.Message))
	case *vsr.Carried:
		fields = "to " + name(e.To)
	case *vsr.Dropped:
		fields = "to " + name(e.To)
	case *vsr.Propose:
		fields = excerpt.Of(e.Body)
	case *vsr.Handover:
		fields = "to any member"
		if e.To >= 0 {
			fields = "to " + name(e.To)
		}
	case *vsr.Loaded:
		fields = fmt.Sprintf("for %s %s", name(e.Load.For), words.Entries(e.Entries))
	case *vsr.SnapshotTaken:
		fields = fmt.Sprintf("%v %d bytes", e.Snapshot.Last, e.Snapshot.Size)
	case *vsr.SnapshotDamaged:
		fields = e.Snapshot.Last.String()
	case *vsr.ChunkRead:
		fields = fmt.Sprintf("for %s %v chunk=%d ok=%v", name(e.Chunk.To), e.Chunk.Snapshot.Last, e.Chunk.Chunk, e.OK)
	case *vsr.ChunksMissing:
		fields = fmt.Sprintf("%v %d chunks, error: %v", e.Snapshot.Last, len(e.Missing), e.Err)
	case *vsr.ChunkWritten:
		fields = fmt.Sprintf("%v chunk=%d ok=%v", e.Snapshot.Last, e.Chunk, e.OK)
	case *vsr.SnapshotReceived:
		fields = fmt.Sprintf("%v error: %v", e.Snapshot.Last, e.Err)
	}
	return strings.TrimSuffix(kind+" "+fields, " {}")
}

// outputInWords returns a line for each part of an output. name returns a member's name.
func outputInWords(o *vsr.Output, name func(vsr.Index) string) (lines []string) {
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if o.Err != nil {
		add("stop: %v", o.Err)
	}
	if o.Save != nil {
		add("save %s", words.Save(o.Save))
	}
	for _, m := range o.Messages {
		var to []string
		for _, i := range m.To {
			to = append(to, name(i))
		}
		add("send to %s: %s", strings.Join(to, ", "), words.Message(m.Message))
	}
	for _, x := range o.Loads {
		add("load for %s %d to %d", name(x.For), x.From, x.To)
	}
	for _, x := range o.Settled {
		add("settle request %d: %v", x.Request, x.Err)
	}
	for _, x := range o.Reads {
		add("read %d at op %d", x.Read, x.Op)
	}
	return append(lines, outputOfState(o, name)...)
}

// outputOfState describes the parts of an output that concern the state machine and snapshots.
func outputOfState(o *vsr.Output, name func(vsr.Index) string) (lines []string) {
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if o.Restore != nil {
		add("restore the snapshot %v", o.Restore.Last)
	}
	if len(o.Apply) > 0 {
		add("apply %s", words.Entries(o.Apply))
	}
	if o.Retake {
		add("take a snapshot")
	}
	if o.Compact != nil {
		add("compact up to %d, and up to %d if the log is too large", o.Compact.Keep, o.Compact.Snapshot)
	}
	for _, x := range o.Chunks {
		add("send to %s: chunk %d of the snapshot %v", name(x.To), x.Chunk, x.Snapshot.Last)
	}
	for _, x := range o.Fetch {
		switch {
		case x.Complete:
			add("complete the snapshot %v", x.Snapshot.Last)
		case x.Data != nil:
			add("write chunk %d of the snapshot %v, %d bytes", x.Chunk, x.Snapshot.Last, len(x.Data))
		default:
			add("begin or resume the snapshot %v", x.Snapshot.Last)
		}
	}
	return lines
}
