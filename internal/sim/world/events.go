// Package world provides the surroundings of simulated replicas: virtual time, the clocks of machines, the links
// between them, and a random stream for each part. It does not depend on replicas.
package world

import "time"

// Actor is the owner of events: a process, which may end, and may be paused.
type Actor interface {
	Ended() bool
	PausedUntil() time.Duration
}

// Events is the queue of everything that will happen, by time, and in the order of scheduling where the time is the
// same. It is the only clock of a world, and has no goroutine.
type Events struct {
	now    time.Duration // since the beginning
	seq    uint64
	faults uint64
	queue  queue
}

// event is something that happens at a time.
type event struct {
	at  time.Duration
	seq uint64
	of  Actor // does it, unless it has ended; nil: it happens in any case
	do  func()
}

// ordinary is the lowest seq of all events but faults. Faults come first and have their own numbers, so that the order
// of all other events is the same whether the faults are drawn or scheduled.
const ordinary = 1 << 62

// Now returns the virtual time.
func (e *Events) Now() time.Duration { return e.now }

// After schedules do to be called d from now, after everything that is due already.
func (e *Events) After(d time.Duration, do func()) { e.At(e.now+max(d, 0), do) }

// At schedules do to be called at that time, or now if it has passed.
func (e *Events) At(at time.Duration, do func()) {
	e.seq++
	e.push(event{at, ordinary + e.seq, nil, do})
}

// AfterBy is After for an event of an actor. The event does not happen if the actor has ended by then, and happens
// later if it is paused.
func (e *Events) AfterBy(a Actor, d time.Duration, do func()) {
	e.seq++
	e.push(event{e.now + d, ordinary + e.seq, a, do})
}

// FaultAt is At for a fault.
func (e *Events) FaultAt(at time.Duration, do func()) {
	e.faults++
	e.push(event{at, e.faults, nil, do})
}

// Hasten moves to now the events of an actor that are due at the times that which selects.
func (e *Events) Hasten(a Actor, which func(at time.Duration) bool) {
	all := e.queue
	e.queue = make(queue, 0, len(all))
	for _, x := range all {
		if which(x.at) && x.of == a {
			x.at = e.now
		}
		e.queue.push(x)
	}
}

// Step performs the next event up to the limit and returns true. Without one it advances the time to the limit and
// returns false.
func (e *Events) Step(limit time.Duration) bool {
	if len(e.queue) == 0 || e.queue[0].at > limit {
		e.now = limit
		return false
	}
	next := e.queue.pop()
	e.now = next.at
	switch {
	case next.of == nil:
		next.do()
	case next.of.Ended():
	case e.now < next.of.PausedUntil():
		e.AfterBy(next.of, next.of.PausedUntil()-e.now, next.do)
	default:
		next.do()
	}
	return true
}

func (e *Events) push(x event) {
	x.at = max(x.at, e.now)
	e.queue.push(x)
}

// queue is a heap of events, the next one first. No two events are equal, so that their order does not depend on the
// shape of the heap. Unlike container/heap it allocates nothing for an event.
type queue []event

func (x *event) before(y *event) bool { return x.at < y.at || x.at == y.at && x.seq < y.seq }

func (q *queue) push(x event) {
	*q = append(*q, x)
	all, i := *q, len(*q)-1
	for ; i > 0 && x.before(&all[(i-1)/2]); i = (i - 1) / 2 {
		all[i] = all[(i-1)/2]
	}
	all[i] = x
}

func (q *queue) pop() event {
	first, last := (*q)[0], len(*q)-1
	x := (*q)[last]
	(*q)[last] = event{}
	*q = (*q)[:last]
	all, i := *q, 0
	for child := 1; child < last; child = 2*i + 1 {
		if child+1 < last && all[child+1].before(&all[child]) {
			child++
		}
		if !all[child].before(&x) {
			break
		}
		all[i], i = all[child], child
	}
	if last > 0 {
		all[i] = x
	}
	return first
}
