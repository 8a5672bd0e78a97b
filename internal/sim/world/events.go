package world

import (
	"cmp"
	"slices"
	"time"
)

// Actor is the owner of events: a process, which may end, and may be paused.
type Actor interface {
	Stopping() bool // it has ended
	PausedUntil() time.Duration
}

// Events is the queue of everything that will happen, by time, and in the order of scheduling where the time is the same.
// It is the only clock of a world, and has no goroutine.
type Events struct {
	now    time.Duration // since the beginning
	seq    uint64
	faults uint64
	heap   []event
	deeds  []deed
	free   []int32 // places in deeds
}

// event is the place in time of something that happens. It holds no pointer, since it is moved often.
type event struct {
	at   time.Duration
	seq  uint64
	deed int32 // index of what happens
}

// deed is what happens at an event.
type deed struct {
	of Actor // does it, unless it has ended; nil: it happens in any case
	do func()
}

// ordinary is the lowest seq of all events but faults. Faults come first and have their own numbers, so that the order of
// all other events is the same whether the faults are drawn or scheduled.
const ordinary = 1 << 62

// Now returns the virtual time.
func (e *Events) Now() time.Duration { return e.now }

// After schedules do to be called d from now, after everything that is due already.
func (e *Events) After(d time.Duration, do func()) { e.At(e.now+max(d, 0), do) }

// At schedules do to be called at that time, or now if it has passed.
func (e *Events) At(at time.Duration, do func()) {
	e.seq++
	e.push(at, ordinary+e.seq, deed{do: do})
}

// AfterBy is After for an event of an actor. The event does not happen if the actor has ended by then, and happens later if
// it is paused.
func (e *Events) AfterBy(a Actor, d time.Duration, do func()) {
	e.seq++
	e.push(e.now+d, ordinary+e.seq, deed{a, do})
}

// FaultAt is At for a fault.
func (e *Events) FaultAt(at time.Duration, do func()) {
	e.faults++
	e.push(at, e.faults, deed{do: do})
}

// Hasten moves to now the events of an actor that are due at the times that which selects.
func (e *Events) Hasten(a Actor, which func(at time.Duration) bool) {
	for i := range e.heap {
		if x := &e.heap[i]; which(x.at) && e.deeds[x.deed].of == a {
			x.at = e.now
		}
	}
	slices.SortFunc(e.heap, func(a, b event) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.seq, b.seq)) })
}

// Step performs the next event up to the limit and returns true. Without one it advances the time to the limit and returns
// false.
func (e *Events) Step(limit time.Duration) bool {
	if len(e.heap) == 0 || e.heap[0].at > limit {
		e.now = limit
		return false
	}
	switch next := e.pop(); {
	case next.of == nil:
		next.do()
	case next.of.Stopping():
	case e.now < next.of.PausedUntil():
		e.AfterBy(next.of, next.of.PausedUntil()-e.now, next.do)
	default:
		next.do()
	}
	return true
}

func (e *Events) push(at time.Duration, seq uint64, d deed) {
	x := event{at: max(at, e.now), seq: seq}
	if last := len(e.free) - 1; last >= 0 {
		x.deed, e.free = e.free[last], e.free[:last]
		e.deeds[x.deed] = d
	} else {
		x.deed = int32(len(e.deeds))
		e.deeds = append(e.deeds, d)
	}
	e.heap = append(e.heap, x)
	e.rise(x)
}

// pop takes the next event off, and makes its time the present.
func (e *Events) pop() deed {
	next, last := e.heap[0], len(e.heap)-1
	moved := e.heap[last]
	if e.heap = e.heap[:last]; last > 0 {
		e.sink(moved)
	}
	e.now = next.at
	d := e.deeds[next.deed]
	e.deeds[next.deed] = deed{}
	e.free = append(e.free, next.deed)
	return d
}

// rise puts x, for which there is room at the end, into its place.
func (e *Events) rise(x event) {
	i := len(e.heap) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !x.before(&e.heap[parent]) {
			break
		}
		e.heap[i] = e.heap[parent]
		i = parent
	}
	e.heap[i] = x
}

// sink puts x, for which there is room at the top, into its place.
func (e *Events) sink(x event) {
	i := 0
	for {
		least := 2*i + 1
		if least >= len(e.heap) {
			break
		}
		if right := least + 1; right < len(e.heap) && e.heap[right].before(&e.heap[least]) {
			least = right
		}
		if !e.heap[least].before(&x) {
			break
		}
		e.heap[i] = e.heap[least]
		i = least
	}
	e.heap[i] = x
}

func (x *event) before(y *event) bool { return x.at < y.at || x.at == y.at && x.seq < y.seq }
