package record

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// eventTypes holds the types of events by their number in a recording.
var eventTypes = []reflect.Type{
	reflect.TypeFor[vsr.Receive](), reflect.TypeFor[vsr.Tick](), reflect.TypeFor[vsr.Misconfigured](),
	reflect.TypeFor[vsr.Propose](), reflect.TypeFor[vsr.Forget](), reflect.TypeFor[vsr.Read](), reflect.TypeFor[vsr.ForgetRead](),
	reflect.TypeFor[vsr.Handover](), reflect.TypeFor[vsr.CancelHandover](), reflect.TypeFor[vsr.Leave](),
	reflect.TypeFor[vsr.Saved](), reflect.TypeFor[vsr.DiskFull](), reflect.TypeFor[vsr.Loaded](), reflect.TypeFor[vsr.Compacted](),
	reflect.TypeFor[vsr.Applied](), reflect.TypeFor[vsr.SessionOpened](), reflect.TypeFor[vsr.SnapshotTaken](),
	reflect.TypeFor[vsr.SnapshotDamaged](), reflect.TypeFor[vsr.SnapshotUnavailable](), reflect.TypeFor[vsr.ChunksMissing](),
	reflect.TypeFor[vsr.ChunkWritten](), reflect.TypeFor[vsr.SnapshotReceived](),
}

// event visits the number of an event's type, and its fields. Fields that hold results are not visited; they are part of
// the digest.
func (f *fields) event(e *vsr.Event) {
	var number uint8
	if !f.reading {
		number = uint8(slices.Index(eventTypes, reflect.TypeOf(*e).Elem()))
	}
	num(f, &number)
	if f.reading {
		if int(number) >= len(eventTypes) {
			f.fail(fmt.Errorf("event of type %d, which is unknown", number))
		}
		if f.err != nil {
			return
		}
		*e = reflect.New(eventTypes[number]).Interface().(vsr.Event)
	}
	switch e := (*e).(type) {
	case *vsr.Receive:
		signed(f, &e.From)
		f.message(e)
	case *vsr.Misconfigured:
		f.text(&e.From)
		f.text(&e.List)
	case *vsr.Propose:
		f.bytes(&e.Body)
	case *vsr.Forget:
		num(f, &e.Request)
	case *vsr.ForgetRead:
		num(f, &e.Read)
	case *vsr.Handover:
		signed(f, &e.To)
	default:
		f.work(e)
	}
}

// work visits the fields of an event that reports work of the shell.
func (f *fields) work(e vsr.Event) {
	switch e := e.(type) {
	case *vsr.Saved:
		num(f, &e.Seq)
	case *vsr.DiskFull:
		f.flag(&e.Full)
	case *vsr.Loaded:
		f.load(&e.Load)
		f.entries(&e.Entries)
	case *vsr.Compacted:
		num(f, &e.First)
	case *vsr.Applied:
		num(f, &e.Op)
	case *vsr.SessionOpened:
		num(f, &e.Session)
	case *vsr.SnapshotTaken:
		f.snapshot(&e.Snapshot)
	case *vsr.SnapshotDamaged:
		f.snapshotID(&e.Snapshot)
	case *vsr.SnapshotUnavailable:
		signed(f, &e.To)
		f.snapshotID(&e.Snapshot)
	case *vsr.ChunksMissing:
		f.snapshotID(&e.Snapshot)
		list(f, &e.Missing, func(chunk *uint32) { num(f, chunk) })
		f.failure(&e.Err)
	case *vsr.ChunkWritten:
		f.snapshotID(&e.Snapshot)
		num(f, &e.Chunk)
		f.flag(&e.OK)
	case *vsr.SnapshotReceived:
		f.snapshot(&e.Snapshot)
		signed(f, &e.Clock)
		f.failure(&e.Err)
	}
}

// message visits a message with its header, as bytes in the format of internal/wire.
func (f *fields) message(e *vsr.Receive) {
	var b []byte
	if !f.reading {
		b = wire.AppendMessage(nil, 0, e.Header, e.Message)
	}
	if f.bytes(&b); !f.reading || f.err != nil {
		return
	}
	e.Header, e.Message, f.err = wire.DecodeMessage(b, 0)
}

func (f *fields) load(v *vsr.Load) {
	signed(f, &v.For)
	num(f, &v.From)
	num(f, &v.To)
	f.stamp(&v.Best)
	num(f, &v.View)
}
