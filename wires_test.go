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
}

func newWires() *wires {
	return &wires{network: NewNetwork(), cuts: map[[2]ID]bool{}, random: rand.New(rand.NewPCG(3, 4))}
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
		time.AfterFunc(d, func() {
			if !x.wires.isCut(x.from, to) {
				x.Transport.Send(to, msg)
			}
		})
	}
}

// Close lets what was sent before arrive.
func (x *plug) Close() error {
	x.wires.mu.Lock()
	slowest := x.wires.latency + x.wires.delay
	x.wires.mu.Unlock()
	time.Sleep(slowest)
	return x.Transport.Close()
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

func (w *wires) isCut(from, to ID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cuts[[2]ID{from, to}]
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
