package sim

import "time"

// event is the place in time of something that happens. It holds no pointer, since it is moved often.
type event struct {
	at   time.Duration
	seq  uint64
	deed int32 // index of what happens
}

// deed is what happens.
type deed struct {
	of *process // does it, unless it has ended; nil: it happens in any case
	do func()
}

// events is the heap of what will happen: by time, and in the order of their making where that is
// the same. It is the simulation's only clock.
type events struct {
	now    time.Duration // since the beginning
	seq    uint64
	faults uint64
	heap   []event
	deeds  []deed
	free   []int32 // places in deeds
}

// ordinary is the least seq of what is no fault: faults come first, and numbering them apart keeps
// the order of everything else the same whether chance makes the faults or a schedule says them.
const ordinary = 1 << 62

// after has do called d from now; never before what is due now already.
func (e *events) after(d time.Duration, do func()) { e.at(e.now+max(d, 0), do) }

// at has do called at that time, or now if it has passed.
func (e *events) at(at time.Duration, do func()) {
	e.seq++
	e.push(at, ordinary+e.seq, deed{do: do})
}

// byProcess is after for what a process does.
func (e *events) byProcess(p *process, d time.Duration, do func()) {
	e.seq++
	e.push(e.now+d, ordinary+e.seq, deed{p, do})
}

// faultAt is at for what makes a fault.
func (e *events) faultAt(at time.Duration, do func()) {
	e.faults++
	e.push(at, e.faults, deed{do: do})
}

func (e *events) push(at time.Duration, seq uint64, d deed) {
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

// step lets the next event happen; false if there is none up to the limit.
func (e *events) step(limit time.Duration) bool {
	if len(e.heap) == 0 || e.heap[0].at > limit {
		return false
	}
	next := e.pop()
	switch p := next.of; {
	case p == nil:
		next.do()
	case p.dead:
	case e.now < p.h.pausedUntil:
		e.byProcess(p, p.h.pausedUntil-e.now, next.do)
	default:
		next.do()
	}
	return true
}

// pop takes the next event off, and makes its time the present.
func (e *events) pop() deed {
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
func (e *events) rise(x event) {
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
func (e *events) sink(x event) {
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
