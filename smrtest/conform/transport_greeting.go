package conform

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/smr-go/smr"
)

var errNoGreeting = errors.New("the transport greets nobody")

// doorkeeper is b's Check: it refuses a until told otherwise.
type doorkeeper struct {
	mu      sync.Mutex
	allow   bool
	checked int // calls that refused
	trouble error
}

var errRefused = errors.New("not yet")

func (d *doorkeeper) check(from smr.ID, hello []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if want := helloOf(from); !bytes.Equal(hello, want) {
		d.trouble = fmt.Errorf("Check of %q got the hello %q: it was %q", from, hello, want)
	}
	if d.allow {
		return nil
	}
	d.checked++
	return errRefused
}

func (d *doorkeeper) refused() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.checked
}

// relent allows from now on, and returns what was wrong so far.
func (d *doorkeeper) relent() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.allow = true
	return d.trouble
}

// b refuses a: nothing passes, neither way, however often it is tried. Then b allows it.
func checkGreeting(l *transportLab) error {
	if err := l.checkRefused(0, 1); err != nil {
		return err
	}
	err := l.checkRefused(1, 0)
	if err == errNoGreeting {
		return errors.New("b greets a when a sends, and does not when b does")
	}
	return err
}

func (l *transportLab) checkRefused(fromPlace, toPlace int) error {
	var door doorkeeper
	a, b, err := l.pair(func(e *smr.Endpoint) { e.Check = door.check })
	if err != nil {
		return err
	}
	pair := []*transportMember{a, b}
	from, to := pair[fromPlace], pair[toPlace]
	letter := l.letter(from.id, to.id, 100)
	l.eventually(func() bool {
		from.tr.Send(to.id, letter)
		return door.refused() >= 2 || to.received() > 0
	})
	switch passed := to.received() > 0; {
	case passed && door.refused() == 0:
		return errNoGreeting
	case passed:
		return fmt.Errorf("a message from %s to %s was carried though b's Check refuses a", from.id, to.id)
	case door.refused() == 0:
		return fmt.Errorf("a message from %s to %s was neither carried nor was b's Check asked", from.id, to.id)
	}
	if err := door.relent(); err != nil {
		return err
	}
	if err := from.reaches(to, 100); err != nil {
		return fmt.Errorf("after b's Check allows a: %w", err)
	}
	return errors.Join(a.close(), b.close(), door.relent())
}
