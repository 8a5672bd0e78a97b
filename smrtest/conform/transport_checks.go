package conform

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smr-go/smr"
)

var transportChecks = []transportCheck{
	{"carries messages between all members", "abc", checkCarries},
	{"carries the largest message", "ab", checkLargest},
	{"refuses larger ones and goes on", "ab", checkTooLarge},
	{"refuses what is too large for the receiver and goes on", "a", checkTooLargeForReceiver},
	{"leaves a sent message as it is", "abc", checkShared},
	{"sends from many goroutines", "abc", checkConcurrent},
	{"does not block on an absent member", "ab", checkAbsent},
	{"does not block on a member that takes nothing", "ac", checkStuck},
	{"carries messages to a restarted member", "ab", checkRestart},
	{"is silent after Close", "abc", checkSilent},
	{"waits in Close for Receive to return", "a", checkCloseWaits},
	{"talks only to those that Check allows", "", checkGreeting},
}

func checkCarries(_ *transportLab, a, b, c *transportMember) error {
	return eachPair([]*transportMember{a, b, c}, func(from, to *transportMember) error {
		for _, size := range []int{messageHead, 100, 4_000, 70_000} {
			if err := from.reaches(to, size); err != nil {
				return err
			}
		}
		return nil
	})
}

func eachPair(members []*transportMember, f func(from, to *transportMember) error) error {
	for _, from := range members {
		for _, to := range members {
			if from == to {
				continue
			}
			if err := f(from, to); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkLargest(_ *transportLab, a, b, _ *transportMember) error {
	return a.reaches(b, labMaxMessage)
}

// The receivers check that no message above MaxMessage arrives.
func checkTooLarge(l *transportLab, a, b, _ *transportMember) error {
	if err := a.reaches(b, 100); err != nil {
		return err
	}
	a.tr.Send("b", l.message("a", "b", b.max+1))
	return a.reaches(b, 100)
}

func checkTooLargeForReceiver(l *transportLab, a, _, _ *transportMember) error {
	b, err := l.start("b", func(e *smr.Endpoint) { e.MaxMessage = 1_000 })
	if err != nil {
		return err
	}
	return checkTooLarge(l, a, b, nil)
}

func checkShared(l *transportLab, a, b, c *transportMember) error {
	message := l.message("a", "", 10_000)
	before := bytes.Clone(message)
	arrived := l.eventually(func() bool {
		a.tr.Send("b", message)
		a.tr.Send("c", message)
		return b.has(message) && c.has(message)
	})
	if !arrived {
		return errors.New("a message that was sent to two members has not arrived at both")
	}
	if err := errors.Join(a.close(), b.close(), c.close()); err != nil {
		return err
	}
	if !bytes.Equal(before, message) {
		return errors.New("a sent message was changed, which other Sends may share")
	}
	return nil
}

func checkConcurrent(l *transportLab, a, b, c *transportMember) error {
	members := []*transportMember{a, b, c}
	var senders sync.WaitGroup
	eachPair(members, func(from, to *transportMember) error {
		for range 2 {
			senders.Go(func() {
				for i := range 100 {
					from.tr.Send(to.id, l.message(from.id, to.id, messageHead+i*i))
				}
			})
		}
		return nil
	})
	if err := l.within("concurrent Send", senders.Wait); err != nil {
		return err
	}
	return eachPair(members, func(from, to *transportMember) error { return from.reaches(to, 1_000) })
}

// c never started and has no address; b has an address at which it no longer listens.
func checkAbsent(l *transportLab, a, b, _ *transportMember) error {
	if err := errors.Join(a.reaches(b, 100), b.close()); err != nil {
		return err
	}
	message := l.message("a", "", 4_000)
	return l.within("Send to an absent member", func() {
		for range 2_000 {
			a.tr.Send("b", message)
			a.tr.Send("c", message)
		}
	})
}

// b's Receive does not return from its first message. Further sends to b do not block, and do not delay messages to c.
func checkStuck(l *transportLab, a, _, c *transportMember) error {
	_, gate, err := l.stuck(a)
	if err != nil {
		return err
	}
	defer gate.open()
	var waiting atomic.Int64
	err = l.within("Send to a member that takes nothing", func() {
		for range 2 * labQueue / labMaxMessage {
			msg := make([]byte, labMaxMessage)
			waiting.Add(labMaxMessage)
			runtime.AddCleanup(&msg[0], func(n int64) { waiting.Add(-n) }, labMaxMessage)
			a.tr.Send("b", msg)
		}
	})
	if err != nil {
		return err
	}
	if err := a.reaches(c, 1_000); err != nil {
		return fmt.Errorf("while another member takes nothing: %w", err)
	}
	bounded := l.eventually(func() bool { runtime.GC(); return waiting.Load() <= labQueue })
	if !bounded {
		return fmt.Errorf("%d bytes wait for a member that takes nothing: at most %d may", waiting.Load(), labQueue)
	}
	return nil
}

// stuck starts b, whose Receive waits for the gate, with a message from a.
func (l *transportLab) stuck(a *transportMember) (b *transportMember, g *gate, err error) {
	g = newGate()
	if b, err = l.start("b", func(e *smr.Endpoint) { e.Receive = g.receive }); err != nil {
		return b, g, err
	}
	message := l.message("a", "b", 100)
	err = l.within("Send", func() {
		l.eventually(func() bool { a.tr.Send("b", message); return g.entered.Load() })
	})
	if err == nil && !g.entered.Load() {
		err = errors.New("no message has arrived")
	}
	if err != nil {
		g.open()
	}
	return b, g, err
}

// gate is a Receive that does not return until it is opened.
type gate struct {
	entered atomic.Bool
	closed  chan struct{}
	open    func()
}

func newGate() *gate {
	g := &gate{closed: make(chan struct{})}
	g.open = sync.OnceFunc(func() { close(g.closed) })
	return g
}

func (g *gate) receive(smr.ID, []byte) {
	g.entered.Store(true)
	<-g.closed
}

func checkRestart(l *transportLab, a, old, _ *transportMember) error {
	if err := errors.Join(a.reaches(old, 100), old.reaches(a, 100), old.close()); err != nil {
		return err
	}
	b, err := l.start("b", nil)
	if err != nil {
		return fmt.Errorf("restart: %w", err)
	}
	if err := errors.Join(a.reaches(b, 100), b.reaches(a, 100)); err != nil {
		return fmt.Errorf("after a restart of b: %w", err)
	}
	return nil
}

// b closes while a sends to it. Messages that b sends afterwards are not carried.
func checkSilent(l *transportLab, a, b, c *transportMember) error {
	if err := errors.Join(a.reaches(b, 100), b.reaches(a, 100)); err != nil {
		return err
	}
	stop := make(chan struct{})
	var sender sync.WaitGroup
	sender.Go(func() { a.keepSending("b", stop) })
	l.eventually(func() bool { return b.received() > 10 })
	err := b.close()
	late := l.message("b", "a", 100)
	b.tr.Send("a", late)
	err = errors.Join(err, c.reaches(a, 100), a.reaches(c, 100))
	<-time.After(watched) // b notices a late Receive
	close(stop)
	if stuck := l.within("Send to a member that closes", sender.Wait); stuck != nil {
		return stuck
	}
	if err == nil && a.has(late) {
		err = errors.New("a message was carried that was sent after Close")
	}
	return err
}

func (m *transportMember) keepSending(to smr.ID, stop <-chan struct{}) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		for range 100 {
			m.tr.Send(to, m.lab.message(m.id, to, 100))
		}
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
	}
}

// watched is the time for which a check waits for an event that must not happen. A correct transport never fails
// because of it.
const watched = 100 * time.Millisecond

func checkCloseWaits(l *transportLab, a, _, _ *transportMember) error {
	b, gate, err := l.stuck(a)
	if err != nil {
		return err
	}
	defer gate.open()
	closed := make(chan error, 1)
	go func() { closed <- b.close() }()
	select {
	case err := <-closed:
		if err != nil {
			return err
		}
		return errors.New("Close has returned while Receive was running")
	case <-time.After(watched):
	}
	gate.open()
	return <-closed
}
