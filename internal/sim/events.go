package sim

import "time"

// event is something that happens at a virtual time.
type event struct {
	at  time.Duration
	seq uint64
	of  *process // does it, unless it has ended; nil: it happens in any case
	do  func()
}

// events is the heap of what will happen: by time, and in the order of their making where that is
// the same. It is the simulation's only clock.
type events struct {
	now    time.Duration // since the beginning
	seq    uint64
	faults uint64
	heap   []event
}

// ordinary is the least seq of what is no fault: faults come first, and numbering them apart keeps
// the order of everything else the same whether chance makes the faults or a schedule says them.
const ordinary = 1 << 62

// after has do called d from now; never before what is due now already.
func (e *events) after(d time.Duration, do func()) { e.at(e.now+max(d, 0), do) }

// at has do called at that time, or now if it has passed.
func (e *events) at(at time.Duration, do func()) {
	e.seq++
	e.push(event{at: max(at, e.now), seq: ordinary + e.seq, do: do})
}

// byProcess is after for what a process does.
func (e *events) byProcess(p *process, d time.Duration, do func()) {
	e.seq++
	e.push(event{e.now + max(d, 0), ordinary + e.seq, p, do})
}

// faultAt is at for what makes a fault.
func (e *events) faultAt(at time.Duration, do func()) {
	e.faults++
	e.push(event{at: max(at, e.now), seq: e.faults, do: do})
}

func (e *events) push(x event) {
	e.heap = append(e.heap, x)
	i := len(e.heap) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !e.less(i, parent) {
			return
		}
		e.heap[i], e.heap[parent] = e.heap[parent], e.heap[i]
		i = parent
	}
}

// step lets the next event happen; false if there is none up to the limit.
func (e *events) step(limit time.Duration) bool {
	if len(e.heap) == 0 || e.heap[0].at > limit {
		return false
	}
	next := e.heap[0]
	last := len(e.heap) - 1
	e.heap[0] = e.heap[last]
	e.heap[last] = event{}
	e.heap = e.heap[:last]
	e.sink()
	e.now = next.at
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

func (e *events) sink() {
	for i := 0; ; {
		least := 2*i + 1
		if least >= len(e.heap) {
			return
		}
		if right := least + 1; right < len(e.heap) && e.less(right, least) {
			least = right
		}
		if !e.less(least, i) {
			return
		}
		e.heap[i], e.heap[least] = e.heap[least], e.heap[i]
		i = least
	}
}

func (e *events) less(i, j int) bool {
	a, b := &e.heap[i], &e.heap[j]
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}
