package smr

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// wires is a Network with faulty links. Its methods may be called concurrently.
type wires struct {
	network *Network

	mu      sync.Mutex
	cuts    []*link // a link may be cut more than once
	random  *rand.Rand
	lose    float64            // fraction of messages that are lost
	repeat  float64            // fraction of messages that arrive twice
	delay   time.Duration      // random, up to this; reorders messages
	latency time.Duration      // fixed
	narrow  map[link]int       // bytes a second that a link carries, if it is narrow
	free    map[link]time.Time // when a narrow link has carried what it was given

	open  map[ID]*plug     // the transport of each member that is open
	queue map[link][]*byte // messages in the Network, in order, by their first bytes
	wrong error            // what the Network did wrong, at first
}

// link is what carries messages from one member to another.
type link struct{ from, to ID }

func newWires() *wires {
	return &wires{network: NewNetwork(), random: rand.New(rand.NewPCG(3, 4)), open: map[ID]*plug{}, queue: map[link][]*byte{},
		narrow: map[link]int{}, free: map[link]time.Time{}}
}

func (w *wires) transport(id ID) Transport { return &plug{w.network.Transport(id), w, id} }

// plug is the Transport of one member. The Network carries all messages; what the wires do to them happens behind it, where
// they arrive.
type plug struct {
	Transport
	wires *wires
	id    ID
}

func (x *plug) Open(e Endpoint) error {
	receive := e.Receive
	e.Receive = func(from ID, msg []byte) { x.wires.carried(link{from, x.id}, msg, receive) }
	w := x.wires
	w.mu.Lock()
	defer w.mu.Unlock()
	err := x.Transport.Open(e)
	if err == nil {
		w.open[x.id] = x
	}
	return err
}

func (x *plug) Send(to ID, msg []byte) {
	w := x.wires
	w.mu.Lock()
	defer w.mu.Unlock()
	if l := (link{x.id, to}); w.open[l.from] == x && w.open[l.to] != nil { // a member that has crashed may send on
		w.queue[l] = append(w.queue[l], &msg[0])
		x.Transport.Send(to, msg)
	}
}

func (x *plug) Close() error {
	w := x.wires
	w.mu.Lock()
	was := w.open[x.id] == x
	if was {
		delete(w.open, x.id)
	}
	w.mu.Unlock()
	err := x.Transport.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for l := range w.queue {
		if was && l.to == x.id {
			delete(w.queue, l)
		}
	}
	return err
}

// carried takes a message from the Network, which must be the first that waits there, and decides its fate.
func (w *wires) carried(l link, msg []byte, receive func(ID, []byte)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open[l.to] == nil || msg == nil {
		return
	}
	if q := w.queue[l]; len(q) == 0 || q[0] != &msg[0] {
		w.wrong = fmt.Errorf("the network carries another message from %s to %s than the first of %d", l.from, l.to, len(q))
	} else {
		w.queue[l] = q[1:]
	}
	queued := w.queues(l, len(msg))
	for _, d := range w.fate(l) {
		d += queued
		if d == 0 {
			receive(l.from, msg)
			continue
		}
		time.AfterFunc(d, func() { w.arrive(l, msg, receive) })
	}
}

// arrive delivers a delayed message. Its receiver may be closed by then.
func (w *wires) arrive(l link, msg []byte, receive func(ID, []byte)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open[l.to] != nil && !w.cut(l) {
		receive(l.from, msg)
	}
}

// fault returns what the Network did wrong, or what it has not delivered although all rests.
func (w *wires) fault() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.open {
		if !w.network.lookup(id).inbox.Put(memoryMessage{}, memoryInboxBytes, memoryInboxBytes) && w.wrong == nil {
			w.wrong = fmt.Errorf("the network counts bytes for %s, and no message waits", id)
		}
	}
	for l, q := range w.queue {
		if len(q) > 0 && w.wrong == nil {
			w.wrong = fmt.Errorf("the network has not delivered %d messages from %s to %s", len(q), l.from, l.to)
		}
	}
	return w.wrong
}

// fate returns after which times the copies of a message arrive.
func (w *wires) fate(l link) (arrivals []time.Duration) {
	if w.cut(l) || w.random.Float64() < w.lose {
		return nil
	}
	arrivals = append(arrivals, w.time())
	if w.random.Float64() < w.repeat {
		arrivals = append(arrivals, w.time())
	}
	return arrivals
}

// queues returns how long a message of that many bytes waits before a narrow link, and leaves for.
func (w *wires) queues(l link, bytes int) time.Duration {
	rate := w.narrow[l]
	if rate == 0 {
		return 0
	}
	from := latest(time.Now(), w.free[l])
	w.free[l] = from.Add(time.Duration(bytes) * time.Second / time.Duration(rate))
	return time.Until(w.free[l])
}

// narrowLink makes a link carry no more than that many bytes a second. The function that it returns ends that.
func (w *wires) narrowLink(l link, rate int) (undo func()) {
	set := func(rate int) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.narrow[l] = rate
	}
	set(rate)
	return func() { set(0) }
}

func (w *wires) time() time.Duration {
	if w.delay == 0 {
		return w.latency
	}
	return w.latency + time.Duration(w.random.Int64N(int64(w.delay)))
}

// disturb sets how messages are lost, repeated and delayed.
func (w *wires) disturb(lose, repeat float64, delay time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lose, w.repeat, w.delay = lose, repeat, delay
}

// cut reports whether a link is cut.
func (w *wires) cut(l link) bool {
	return slices.ContainsFunc(w.cuts, func(c *link) bool { return *c == l })
}

// cutLinks drops the messages of links. The function that it returns ends that, and no other cut.
func (w *wires) cutLinks(links ...link) (undo func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var mine []*link
	for _, l := range links {
		mine = append(mine, &l)
	}
	w.cuts = append(w.cuts, mine...)
	return func() { w.uncut(func(c *link) bool { return slices.Contains(mine, c) }) }
}

func (w *wires) uncut(which func(*link) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cuts = slices.DeleteFunc(w.cuts, which)
}

// isolate cuts a member off from all others, in a group of at most seven.
func (w *wires) isolate(id ID) (undo func()) {
	var links []link
	for other := 'a'; other < 'a'+7; other++ {
		links = append(links, link{id, ID(other)}, link{ID(other), id})
	}
	return w.cutLinks(links...)
}

// heal restores the links that were cut: all of them, or those of the given members. No link stays narrow.
func (w *wires) heal(ids ...ID) {
	w.mu.Lock()
	clear(w.narrow)
	w.mu.Unlock()
	w.uncut(func(c *link) bool {
		return len(ids) == 0 || slices.Contains(ids, c.from) || slices.Contains(ids, c.to)
	})
}
