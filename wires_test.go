package smr

import (
	"math/rand/v2"
	"sync"
	"time"
)

// wires is a Network whose links misbehave as told. Its methods may be called concurrently.
type wires struct {
	network *Network

	mu      sync.Mutex
	cuts    map[[2]ID]bool // from, to
	random  *rand.Rand
	lose    float64       // of messages, the part that is lost
	repeat  float64       // of messages, the part that arrives twice
	delay   time.Duration // each message takes up to this long, and so they overtake each other
	latency time.Duration // each message takes so long
	sent    int
	// receivers take what arrives late
	receivers map[ID]func(ID, []byte)
}

func newWires() *wires {
	return &wires{network: NewNetwork(), receivers: map[ID]func(ID, []byte){}, cuts: map[[2]ID]bool{}, random: rand.New(rand.NewPCG(3, 4))}
}

func (w *wires) transport(id ID) Transport { return &plug{w.network.Transport(id), w, id} }

// plug is one member's Transport.
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

// arrive delivers a message that was on its way for a while; its sender may be gone.
func (w *wires) arrive(from, to ID, msg []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if receive := w.receivers[to]; receive != nil && !w.cuts[[2]ID{from, to}] {
		receive(from, msg)
	}
}

// fate returns when the copies of a message arrive.
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

// disturb has messages lost, repeated and delayed from now on.
func (w *wires) disturb(lose, repeat float64, delay time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lose, w.repeat, w.delay = lose, repeat, delay
}

// cutOneWay loses what goes from one member to another.
func (w *wires) cutOneWay(from, to ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cuts[[2]ID{from, to}] = true
}

// cut loses what goes between two members.
func (w *wires) cut(a, b ID) {
	w.cutOneWay(a, b)
	w.cutOneWay(b, a)
}

// isolate cuts a member off from all others, itself being among seven at most.
func (w *wires) isolate(id ID) {
	for other := 'a'; other < 'a'+7; other++ {
		w.cut(id, ID(other))
	}
}

// heal mends all that was cut, or what was cut at these members.
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
