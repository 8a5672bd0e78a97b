package conform

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/smr-go/smr"
)

var errNoGreeting = errors.New("the transport never calls Endpoint.Check")

// doorkeeper is b's Check. It refuses a until relent is called.
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

// relent makes check succeed from now on. It returns the last wrong hello as an error.
func (d *doorkeeper) relent() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.allow = true
	return d.trouble
}

// While b refuses a, no message passes in either direction. Then b allows a.
func checkGreeting(l *transportLab) error {
	if err := l.checkRefused(0, 1); err != nil {
		return err
	}
	err := l.checkRefused(1, 0)
	if err == errNoGreeting {
		return errors.New("b's Check is called when a sends to b, but not when b sends to a")
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
