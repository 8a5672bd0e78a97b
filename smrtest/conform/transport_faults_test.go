package conform

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/smr-go/smr"
)

type transportFault struct {
	name  string
	check string
	want  string // of the error
	seen  int    // the patience
	plant func(*testing.T, *smr.Network) opener
}

// How patient a check is, by when it sees the fault.
const (
	atOnce     = 5_000 // as soon as it happens
	atEnd      = 150   // when patience ends
	afterFlood = 1_000 // when patience ends, which must last for 256 MiB
)

var transportFaults = []transportFault{
	{"carries nothing", "carries messages between all members", "has not arrived", atEnd,
		bendReceive(func(smr.Endpoint, smr.ID, []byte) {})},
	{"takes all for a's", "carries messages between all members", `got sender "a" for a message that "b" sent`, atEnd,
		bendReceive(func(e smr.Endpoint, _ smr.ID, msg []byte) { e.Receive("a", msg) })},
	{"sends all to all", "carries messages between all members", `received a message that was sent to "b"`, atOnce,
		bendSend(func(good smr.Transport, _ <-chan struct{}) func(smr.ID, []byte) {
			return func(_ smr.ID, msg []byte) { good.Send("a", msg); good.Send("b", msg); good.Send("c", msg) }
		})},
	{"uses the memory of a message again", "carries messages between all members", "after Receive had taken it", atOnce,
		bendEndpoint(func(e smr.Endpoint) smr.Endpoint {
			inner, buffer := e, make([]byte, labMaxMessage)
			inner.Receive = func(from smr.ID, msg []byte) { e.Receive(from, buffer[:copy(buffer, msg)]) }
			return inner
		})},
	{"cuts messages at 64 KiB", "carries the largest message", "changed on its way", atEnd,
		bendReceive(func(e smr.Endpoint, from smr.ID, msg []byte) {
			e.Receive(from, append(bytes.Clone(msg[:min(len(msg), 64<<10)]), 0))
		})},
	{"is cut to nothing", "carries the largest message", "that no member sent", atEnd,
		bendReceive(func(e smr.Endpoint, from smr.ID, msg []byte) { e.Receive(from, nil) })},
	{"has no limit", "refuses larger ones and goes on", "MaxMessage is 1048576", atOnce,
		bendEndpoint(func(e smr.Endpoint) smr.Endpoint { e.MaxMessage *= 2; return e })},
	{"stops at a message too large", "refuses larger ones and goes on", "has not arrived", atEnd,
		bendSend(func(good smr.Transport, _ <-chan struct{}) func(smr.ID, []byte) {
			stopped := false
			return func(to smr.ID, msg []byte) {
				if stopped = stopped || len(msg) > labMaxMessage; !stopped {
					good.Send(to, msg)
				}
			}
		})},
	{"has only the sender's limit", "refuses what is too large for the receiver and goes on", "MaxMessage is 1000", atOnce,
		bendEndpoint(func(e smr.Endpoint) smr.Endpoint { e.MaxMessage = labMaxMessage; return e })},
	{"writes into what was sent", "leaves a sent message as it is", "a sent message was changed", atOnce, scribbling},
	{"sends one after the other, by waiting for ever", "sends from many goroutines", "has not returned", atEnd,
		bendSend(func(good smr.Transport, stuck <-chan struct{}) func(smr.ID, []byte) {
			var mu sync.Mutex
			sent := 0
			return func(to smr.ID, msg []byte) {
				mu.Lock()
				sent++
				last := sent == 100
				mu.Unlock()
				if last {
					<-stuck
				}
				good.Send(to, msg)
			}
		})},
	{"waits for who is not there", "does not block on an absent member", "has not returned", atEnd,
		bendSend(func(good smr.Transport, stuck <-chan struct{}) func(smr.ID, []byte) {
			return func(to smr.ID, msg []byte) {
				if to == "c" {
					<-stuck
				}
				good.Send(to, msg)
			}
		})},
	{"calls Receive in Send", "does not block on a member that takes nothing", "has not returned", atEnd, synchronous},
	{"queues without bound", "does not block on a member that takes nothing", "wait for a member that takes nothing", afterFlood,
		bendSend(func(good smr.Transport, _ <-chan struct{}) func(smr.ID, []byte) {
			var queue [][]byte
			return func(to smr.ID, msg []byte) {
				queue = append(queue, msg)
				good.Send(to, msg)
			}
		})},
	{"lets one member hold up another", "does not block on a member that takes nothing", "while another member takes nothing", afterFlood, inTurn},
	{"does not know a restarted member", "carries messages to a restarted member", "after a restart of b", atEnd, remembering},
	{"delivers late", "is silent after Close", "after Close had returned", atOnce, late},
	{"closes nothing", "is silent after Close", "sent after Close", atOnce,
		bendClose(func(smr.Transport) error { return nil })},
	{"leaves a goroutine", "is silent after Close", "goroutines are left", atEnd,
		func(t *testing.T, n *smr.Network) opener {
			stuck := make(chan struct{})
			t.Cleanup(func() { close(stuck) })
			return func(id smr.ID) smr.Transport {
				go func() { <-stuck }()
				return n.Transport(id)
			}
		}},
	{"closes in the background", "waits in Close for Receive to return", "while Receive was running", atOnce,
		bendClose(func(good smr.Transport) error { go good.Close(); return nil })},
	{"does not heed Check", "talks only to those that Check allows", "though b's Check refuses a", atOnce,
		bendReceive(func(e smr.Endpoint, from smr.ID, msg []byte) {
			e.Check(from, helloOf(from))
			e.Receive(from, msg)
		})},
	{"heeds Check on one side only", "talks only to those that Check allows", "but not when b sends to a", atOnce,
		bendReceive(func(e smr.Endpoint, from smr.ID, msg []byte) {
			if e.Check(from, helloOf(from)) == nil {
				e.Receive(from, msg)
			}
		})},
	{"swaps the hellos", "talks only to those that Check allows", `it was "hello from a"`, atOnce,
		bendReceive(func(e smr.Endpoint, from smr.ID, msg []byte) {
			if e.Check(from, helloOf(e.ID)) == nil {
				e.Receive(from, msg)
			}
		})},
	{"refuses for ever", "talks only to those that Check allows", "after b's Check allows a", atEnd, unforgiving},
}

// synchronous calls the receiver in the sender's goroutine.
func synchronous(_ *testing.T, n *smr.Network) opener {
	var mu sync.Mutex
	endpoints := map[smr.ID]smr.Endpoint{}
	return func(id smr.ID) smr.Transport {
		return &bent{
			Transport: n.Transport(id),
			endpoint: func(e smr.Endpoint) smr.Endpoint {
				mu.Lock()
				defer mu.Unlock()
				endpoints[id] = e
				return e
			},
			send: func(to smr.ID, msg []byte) {
				mu.Lock()
				e, ok := endpoints[to]
				mu.Unlock()
				if ok {
					e.Receive(id, msg)
				}
			},
		}
	}
}

// inTurn delivers to one member at a time.
func inTurn(_ *testing.T, n *smr.Network) opener {
	var turn sync.Mutex
	return bendReceive(func(e smr.Endpoint, from smr.ID, msg []byte) {
		turn.Lock()
		defer turn.Unlock()
		e.Receive(from, msg)
	})(nil, n)
}

// scribbling writes into a sent message when it closes.
func scribbling(_ *testing.T, n *smr.Network) opener {
	return func(id smr.ID) smr.Transport {
		good := n.Transport(id)
		var last []byte
		return &bent{
			Transport: good,
			send: func(to smr.ID, msg []byte) {
				last = msg
				good.Send(to, bytes.Clone(msg))
			},
			close: func() error {
				clear(last)
				return good.Close()
			},
		}
	}
}

// late delivers the last message again when Close has returned.
func late(_ *testing.T, n *smr.Network) opener {
	return func(id smr.ID) smr.Transport {
		good := n.Transport(id)
		again := func() {}
		return &bent{
			Transport: good,
			endpoint: func(e smr.Endpoint) smr.Endpoint {
				inner := e
				inner.Receive = func(from smr.ID, msg []byte) {
					again = func() { e.Receive(from, msg) }
					again()
				}
				return inner
			},
			close: func() error {
				err := good.Close()
				time.AfterFunc(watched/10, again)
				return err
			},
		}
	}
}

// remembering delivers to the first transport of an id, whatever happens to it.
func remembering(_ *testing.T, n *smr.Network) opener {
	opened := map[smr.ID]bool{}
	return func(id smr.ID) smr.Transport {
		again := opened[id]
		opened[id] = true
		return &bent{Transport: n.Transport(id), endpoint: func(e smr.Endpoint) smr.Endpoint {
			if again {
				e.Receive = func(smr.ID, []byte) {}
			}
			return e
		}}
	}
}

// unforgiving does not ask again once it was refused twice.
func unforgiving(_ *testing.T, n *smr.Network) opener {
	refused := map[smr.ID]int{}
	return bendReceive(func(e smr.Endpoint, from smr.ID, msg []byte) {
		if refused[from] < 2 && e.Check(from, helloOf(from)) != nil {
			refused[from]++
		}
	})(nil, n)
}
