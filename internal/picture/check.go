package picture

import (
	"fmt"
	"io/fs"
	"time"
)

// check returns an error if the run cannot be drawn.
func (r *Run) check() error {
	if r.History != "" && !fs.ValidPath(r.History) {
		return fmt.Errorf("picture: History is %q; it must be a relative, slash-separated name", r.History)
	}
	for i := range r.Messages {
		if err := r.checkMessage(&r.Messages[i]); err != nil {
			return fmt.Errorf("picture: message %d (%s): %w", i, r.Messages[i].Kind, err)
		}
	}
	for i, s := range r.Spans {
		if err := r.checkPlace(s.From, s.Lane); err != nil {
			return fmt.Errorf("picture: span %d (%s): %w", i, s.Kind, err)
		}
	}
	for i, c := range r.Cuts {
		if err := r.checkPlace(c.Since, c.From, c.To); err != nil {
			return fmt.Errorf("picture: cut %d: %w", i, err)
		}
	}
	for i, m := range r.Marks {
		lanes := []int{m.Lane}
		if m.Lane == Everyone {
			lanes = nil
		}
		if err := r.checkPlace(m.At, lanes...); err != nil {
			return fmt.Errorf("picture: mark %d (%s): %w", i, m.Kind, err)
		}
	}
	for i, s := range r.States {
		if err := r.checkPlace(s.At, s.Lane); err != nil {
			return fmt.Errorf("picture: state %d: %w", i, err)
		}
	}
	return nil
}

func (r *Run) checkMessage(m *Message) error {
	if m.Fate > UnderWay {
		return fmt.Errorf("there is no fate %d", m.Fate)
	}
	if m.Fate == Arrived && m.Arrived < m.Sent {
		return fmt.Errorf("it arrived at %v, and was sent at %v", m.Arrived, m.Sent)
	}
	return r.checkPlace(m.Sent, m.From, m.To)
}

// checkPlace returns an error unless the time and the lanes exist.
func (r *Run) checkPlace(at time.Duration, lanes ...int) error {
	if at < 0 {
		return fmt.Errorf("it is at %v; a run begins at 0", at)
	}
	for _, lane := range lanes {
		if lane < 0 || lane >= len(r.Lanes) {
			return fmt.Errorf("its lane is %d; the run has %d", lane, len(r.Lanes))
		}
	}
	return nil
}
