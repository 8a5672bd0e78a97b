package conform

import (
	"encoding/binary"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

// A Shaken keeps the contract of a Transport, whatever it does to messages.
func TestShakenConforms(t *testing.T) {
	transports := map[string]func(t *testing.T) func(id smr.ID) (smr.Transport, string){
		"Network": func(*testing.T) func(id smr.ID) (smr.Transport, string) {
			network := smr.NewNetwork()
			return func(id smr.ID) (smr.Transport, string) { return network.Transport(id), "" }
		},
		"TCP": func(t *testing.T) func(id smr.ID) (smr.Transport, string) {
			return func(smr.ID) (smr.Transport, string) {
				tcp, err := smr.ListenTCP(smr.TCPConfig{Listen: "127.0.0.1:0"})
				require.NoError(t, err)
				return tcp, tcp.Addr().String()
			}
		},
	}
	for under, open := range transports {
		for how, d := range map[string]Disturbance{
			"no faults": {},
			"delays":    {MinDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond},
			"all":       {Lose: 0.3, Repeat: 0.3, MaxDelay: 10 * time.Millisecond},
		} {
			t.Run(under+", "+how, func(t *testing.T) {
				transport := open(t)
				TestTransport(t, func(t *testing.T, id smr.ID) (smr.Transport, string) {
					tr, addr := transport(id)
					shaken := Shake(tr, 1)
					shaken.Disturb(d)
					return shaken, addr
				})
			})
		}
	}
}

// outbox is a Transport that keeps the messages that are sent.
type outbox struct {
	mu       sync.Mutex
	endpoint smr.Endpoint
	sent     []sentNumber
	gate     chan struct{} // if not nil, Send takes one of it
	closed   bool
}

type sentNumber struct {
	to     smr.ID
	number uint64
	at     time.Time
}

func (o *outbox) Open(e smr.Endpoint) error { o.endpoint = e; return nil }
func (o *outbox) Close() error              { o.closed = true; return nil }
func (o *outbox) Send(to smr.ID, msg []byte) {
	if o.gate != nil {
		<-o.gate
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = append(o.sent, sentNumber{to, binary.BigEndian.Uint64(msg), time.Now()})
}

// empty returns the messages sent since the last call.
func (o *outbox) empty() []sentNumber {
	o.mu.Lock()
	defer o.mu.Unlock()
	sent := o.sent
	o.sent = nil
	return sent
}

// numbers returns the messages sent to a member, in order.
func (o *outbox) numbers(to smr.ID) (numbers []uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.sent {
		if s.to == to {
			numbers = append(numbers, s.number)
		}
	}
	return numbers
}

// openShaken returns an open Shaken of the member and the Transport below it.
func openShaken(t *testing.T, id smr.ID, seed uint64, receive func(from smr.ID, msg []byte)) (*Shaken, *outbox) {
	o := new(outbox)
	s := Shake(o, seed)
	require.NoError(t, s.Open(smr.Endpoint{ID: id, Receive: receive, Logger: hclog.NewNullLogger()}))
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		require.True(t, o.closed)
	})
	return s, o
}

func sendNumbers(s *Shaken, to smr.ID, from, before uint64) {
	for n := from; n < before; n++ {
		s.Send(to, binary.BigEndian.AppendUint64(nil, n))
	}
}

var lossy = Disturbance{Lose: 0.3, Repeat: 0.2}

func lossesOf(t *testing.T, id, to smr.ID, seed uint64) []uint64 {
	s, o := openShaken(t, id, seed, nil)
	s.Disturb(lossy)
	sendNumbers(s, to, 0, 1_000)
	return o.numbers(to)
}

// Only the seed and the link determine the fate of the nth message.
func TestShakenSeed(t *testing.T) {
	first := lossesOf(t, "a", "b", 1)
	require.Equal(t, first, lossesOf(t, "a", "b", 1), "again")
	require.NotEqual(t, first, lossesOf(t, "a", "b", 2), "another seed")
	require.NotEqual(t, first, lossesOf(t, "b", "a", 1), "the other direction")
	require.NotEqual(t, first, lossesOf(t, "a", "c", 1), "another member")
	require.NotEqual(t, lossesOf(t, "ab", "c", 1), lossesOf(t, "a", "bc", 1))

	s, o := openShaken(t, "a", 1, nil)
	sendNumbers(s, "b", 0, 10) // under no disturbance
	s.Disturb(Disturbance{Lose: 1})
	sendNumbers(s, "b", 10, 20)
	s.CutTo("b")
	sendNumbers(s, "b", 20, 30)
	s.Heal("b")
	s.Disturb(lossy)
	for n := range uint64(970) {
		sendNumbers(s, "b", 30+n, 31+n)
		sendNumbers(s, "c", n, n+3)
	}
	after := func(numbers []uint64) []uint64 {
		return slices.DeleteFunc(numbers, func(n uint64) bool { return n < 30 })
	}
	require.Equal(t, after(first), after(o.numbers("b")), "as if nothing else had ever happened")
}

func TestShakenRates(t *testing.T) {
	numbers := lossesOf(t, "a", "b", 3)
	distinct := len(slices.Compact(slices.Clone(numbers)))
	assert.InDelta(t, 700, distinct, 50)                        // 0.3 of 1,000 lost
	assert.InDelta(t, 0.2*700, len(numbers)-distinct, 50)       // 0.2 of those sent twice
	assert.True(t, slices.IsSorted(numbers), "nothing is late") // without a delay
}

func TestShakenDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := openShaken(t, "a", 1, nil)
		s.Disturb(Disturbance{MinDelay: 10 * time.Millisecond, MaxDelay: 30 * time.Millisecond, Repeat: 1})
		began := time.Now()
		sendNumbers(s, "b", 0, 100)
		time.Sleep(time.Second)
		require.False(t, slices.IsSorted(o.numbers("b")), "none was overtaken")
		sent := o.empty()
		require.Len(t, sent, 200)
		for i, m := range sent {
			require.WithinRange(t, m.at, began.Add(10*time.Millisecond), began.Add(30*time.Millisecond))
			require.True(t, i == 0 || !m.at.Before(sent[i-1].at))
		}
	})
}

// A delay that is always the same keeps the order, and MaxDelay may be left out.
func TestShakenSameDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := openShaken(t, "a", 1, nil)
		s.Disturb(Disturbance{MinDelay: 10 * time.Millisecond})
		sendNumbers(s, "b", 0, 1_000)
		time.Sleep(10*time.Millisecond - time.Nanosecond)
		require.Empty(t, o.numbers("b"))
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Len(t, o.numbers("b"), 1_000)
		require.True(t, slices.IsSorted(o.numbers("b")))
	})
}

// A shorter delay is not held up by a longer one.
func TestShakenIsWokenForTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := openShaken(t, "a", 1, nil)
		for i, delay := range []time.Duration{time.Minute, time.Second, time.Hour} {
			s.Disturb(Disturbance{MinDelay: delay})
			sendNumbers(s, "b", uint64(i), uint64(i)+1)
			synctest.Wait()
		}
		time.Sleep(2 * time.Second)
		require.Equal(t, []uint64{1}, o.numbers("b"))
		time.Sleep(2 * time.Hour)
		require.Equal(t, []uint64{1, 0, 2}, o.numbers("b"))
	})
}

func TestShakenCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []smr.ID
		s, o := openShaken(t, "a", 1, func(from smr.ID, _ []byte) { got = append(got, from) })
		exchange := func() (sent, received []smr.ID) {
			got = nil
			for _, id := range []smr.ID{"b", "c"} {
				sendNumbers(s, id, 0, 1)
				o.endpoint.Receive(id, nil)
			}
			time.Sleep(time.Second)
			for _, m := range o.empty() {
				sent = append(sent, m.to)
			}
			return sent, got
		}
		for _, step := range []struct {
			do             func()
			sent, received []smr.ID
		}{
			{func() {}, []smr.ID{"b", "c"}, []smr.ID{"b", "c"}},
			{func() { s.CutTo("b") }, []smr.ID{"c"}, []smr.ID{"b", "c"}},
			{func() { s.CutFrom("c") }, []smr.ID{"c"}, []smr.ID{"b"}},
			{func() { s.CutTo("b", "c") }, nil, []smr.ID{"b"}},
			{func() { s.Heal("c") }, []smr.ID{"c"}, []smr.ID{"b", "c"}},
			{func() { s.CutFrom("b", "c") }, []smr.ID{"c"}, nil},
			{func() { s.Heal() }, []smr.ID{"b", "c"}, []smr.ID{"b", "c"}},
		} {
			step.do()
			sent, received := exchange()
			require.Equal(t, step.sent, sent)
			require.Equal(t, step.received, received)
		}
	})
}

// Messages that wait are lost when their link is cut, and when the transport is closed.
func TestShakenLosesWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := openShaken(t, "a", 1, nil)
		s.Disturb(Disturbance{MinDelay: time.Second})
		sendNumbers(s, "b", 0, 10)
		sendNumbers(s, "c", 0, 10)
		s.CutTo("b")
		time.Sleep(2 * time.Second)
		s.Heal()
		require.Empty(t, o.numbers("b"))
		require.Len(t, o.numbers("c"), 10)

		sendNumbers(s, "b", 10, 20)
		require.NoError(t, s.Close())
		s.Disturb(Disturbance{})
		sendNumbers(s, "b", 20, 30)
		time.Sleep(2 * time.Second)
		require.Empty(t, o.numbers("b"))
	})
}

// A message that is being sent is one that Close waits for; those after it are lost.
func TestShakenCloseWaitsForSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := openShaken(t, "a", 1, nil)
		o.gate = make(chan struct{})
		s.Disturb(Disturbance{MinDelay: time.Second})
		sendNumbers(s, "b", 0, 10)
		time.Sleep(2 * time.Second) // the first is in Send
		closed := make(chan error, 1)
		go func() { closed <- s.Close() }()
		synctest.Wait()
		require.Empty(t, closed)
		close(o.gate)
		require.NoError(t, <-closed)
		require.Equal(t, []uint64{0}, o.numbers("b"))
	})
}

// The memory for waiting messages is bounded, in messages and in bytes, and is free again when they were sent.
func TestShakenIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := openShaken(t, "a", 1, nil)
		s.Disturb(Disturbance{MinDelay: time.Second})
		for range 2 {
			sendNumbers(s, "b", 0, delayedMessages+10)
			time.Sleep(2 * time.Second)
			require.Len(t, o.empty(), delayedMessages)

			mebibyte := make([]byte, 1<<20)
			for range delayedBytes>>20 + 10 {
				s.Send("b", mebibyte)
			}
			time.Sleep(2 * time.Second)
			require.Len(t, o.empty(), delayedBytes>>20)
		}
	})
}
