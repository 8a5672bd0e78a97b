package record

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/smr-go/smr/internal/vsr"
)

// eventTypes holds the types of events by their number in a recording.
var eventTypes = []reflect.Type{
	reflect.TypeFor[vsr.Receive](), reflect.TypeFor[vsr.Tick](),
	reflect.TypeFor[vsr.Refused](), reflect.TypeFor[vsr.Propose](),
	reflect.TypeFor[vsr.Forget](), reflect.TypeFor[vsr.Read](),
	reflect.TypeFor[vsr.ForgetRead](), reflect.TypeFor[vsr.Handover](),
	reflect.TypeFor[vsr.CancelHandover](), reflect.TypeFor[vsr.Leave](),
	reflect.TypeFor[vsr.Saved](), reflect.TypeFor[vsr.DiskFull](),
	reflect.TypeFor[vsr.Loaded](), reflect.TypeFor[vsr.Compacted](),
	reflect.TypeFor[vsr.Applied](), reflect.TypeFor[vsr.SessionOpened](),
	reflect.TypeFor[vsr.SnapshotTaken](), reflect.TypeFor[vsr.SnapshotDamaged](),
	reflect.TypeFor[vsr.ChunkRead](), reflect.TypeFor[vsr.ChunksMissing](),
	reflect.TypeFor[vsr.ChunkWritten](), reflect.TypeFor[vsr.SnapshotReceived](),
	reflect.TypeFor[vsr.FloorRaised](), reflect.TypeFor[vsr.Carried](), reflect.TypeFor[vsr.Dropped](),
}

// event visits an event. Fields for results are visited as well, whatever they hold.
func (f *fields) event(e *vsr.Event) {
	if !f.reading {
		f.unsigned(uint64(slices.Index(eventTypes, reflect.TypeOf(*e).Elem())))
	} else if number := f.unsigned(0); number < uint64(len(eventTypes)) {
		*e = reflect.New(eventTypes[number]).Interface().(vsr.Event)
	} else {
		f.fail(fmt.Errorf("event of type %d, which is unknown", number))
		return
	}
	f.value(reflect.ValueOf(*e).Elem())
}

// message visits a message.
func (f *fields) message(m *vsr.Message) {
	if !f.reading {
		f.unsigned(uint64(vsr.KindOf(*m)))
	} else if number := f.unsigned(0); 0 < number && number <= uint64(vsr.LastKind) {
		*m = vsr.MessageKind(number).New()
	} else {
		f.fail(fmt.Errorf("message of kind %d, which is unknown", number))
		return
	}
	f.value(reflect.ValueOf(*m).Elem())
}
