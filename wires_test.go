package smr

import (
	"math/rand/v2"
	"sync"
	"time"
)

// wires is a Network with faulty links. Its methods may be called concurrently.
type wires struct {
	network *Network

	mu      sync.Mutex
	cuts    map[[2]ID]bool // from, to
	random  *rand.Rand
	lose    float64       // fraction of messages that are lost
	repeat  float64       // fraction of messages that arrive twice
	delay   time.Duration // random, up to this; reorders messages
	latency time.Duration // fixed
	sent    int
	// receivers are the Receive functions of open members
	receivers map[ID]func(ID, []byte)
}

func newWires() *wires {
	return &wires{network: NewNetwork(), receivers: map[ID]func(ID, []byte){}, cuts: map[[2]ID]bool{}, random: rand.New(rand.NewPCG(3, 4))}
}

func (w *wires) transport(id ID) Transport { return &plug{w.network.Transport(id), w, id} }

// plug is the Transport of one member.
type plug struct {
	Transport
	wires *wires
	from  ID
}

func (x *plug) Send(to ID, msg []byte) {
	for _, d := range x.wires.fate(x.from, to) {
		if d == 0 {
			x.Transport.Send(to, msg)
			continue
		}
		time.AfterFunc(d, func() { x.wires.arrive(x.from, to, msg) })
	}
}

func (x *plug) Open(e Endpoint) error {
	err := x.Transport.Open(e)
	if err == nil {
		x.wires.set(x.from, e.Receive)
	}
	return err
}

func (x *plug) Close() error {
	x.wires.set(x.from, nil)
	return x.Transport.Close()
}

func (w *wires) set(id ID, receive func(ID, []byte)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.receivers[id] = receive
}

// arrive delivers a delayed message. The sender may be closed by then.
func (w *wires) arrive(from, to ID, msg []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if receive := w.receivers[to]; receive != nil && !w.cuts[[2]ID{from, to}] {
		receive(from, msg)
	}
}

// fate returns after which times the copies of a message arrive.
func (w *wires) fate(from, to ID) (arrivals []time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent++
	if w.cuts[[2]ID{from, to}] || w.random.Float64() < w.lose {
		return nil
	}
	arrivals = append(arrivals, w.time())
	if w.random.Float64() < w.repeat {
		arrivals = append(arrivals, w.time())
	}
	return arrivals
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

// cutOneWay drops messages from one member to another.
func (w *wires) cutOneWay(from, to ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cuts[[2]ID{from, to}] = true
}

// cut drops messages between two members.
func (w *wires) cut(a, b ID) {
	w.cutOneWay(a, b)
	w.cutOneWay(b, a)
}

// isolate cuts a member off from all others, in a group of at most seven.
func (w *wires) isolate(id ID) {
	for other := 'a'; other < 'a'+7; other++ {
		w.cut(id, ID(other))
	}
}

// heal restores the links that were cut: all of them, or those of the given members.
func (w *wires) heal(ids ...ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(ids) == 0 {
		clear(w.cuts)
	}
	for _, id := range ids {
		for link := range w.cuts {
			if link[0] == id || link[1] == id {
				delete(w.cuts, link)
			}
		}
	}
}
