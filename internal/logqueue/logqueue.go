// Package logqueue keeps a slow logger away from the goroutines that log: it queues their lines for a goroutine of its
// own, which passes them to the logger.
package logqueue

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/smr-go/smr/internal/queue"
)

const (
	limit    = 1 << 20     // bytes of lines that wait; further lines are dropped
	overhead = 256         // bytes that a line counts besides its texts
	patience = time.Second // how long Stop waits
	late     = time.Second // a line that has waited for longer states for how long
)

// lines is the queue of a Logger and of all loggers derived from it.
type lines struct {
	queue   *queue.Queue[line]
	dropped atomic.Int64  // lines dropped since the last report of dropped lines
	stop    chan struct{} // closed by Stop
	givenUp atomic.Bool   // Stop has not waited for the rest, which is dropped
	done    chan struct{} // closed when the goroutine has ended
}

// line is a line that waits.
type line struct {
	sink  hclog.Logger
	level hclog.Level
	text  string
	args  []any
	at    time.Time
	size  int
}

// add queues a line, or drops and counts it if the lines that wait reach the limit.
func (q *lines) add(x line) {
	args, size := frozen(x.args)
	x.at, x.args, x.size = time.Now(), args, overhead+len(x.text)+size
	if !q.queue.Put(x, x.size, limit) {
		q.dropped.Add(1)
	}
}

// run passes lines to their loggers until Stop, and then those that wait. It reports dropped lines to sink.
func (q *lines) run(sink hclog.Logger) {
	defer close(q.done)
	for stopped := false; !stopped; {
		select {
		case <-q.queue.Wake():
		case <-q.stop:
			stopped = true
		}
		for q.pass(sink) {
		}
	}
	q.queue.Close()
}

// pass passes on the lines that wait, and then the number of those dropped behind them. It reports false if there were
// none, or Stop has given up.
func (q *lines) pass(sink hclog.Logger) bool {
	batch, _ := q.queue.Take()
	dropped := q.dropped.Swap(0)
	for i := range batch {
		if q.givenUp.Load() {
			return false
		}
		batch[i].write()
		q.queue.Release(batch[i].size)
	}
	if dropped > 0 && !q.givenUp.Load() {
		sink.Warn(fmt.Sprintf("%d lines of the log were dropped: the logger was too slow", dropped))
	}
	more := len(batch) > 0 || dropped > 0
	clear(batch)
	return more
}

func (x *line) write() {
	if waited := time.Since(x.at); waited > late {
		x.args = append(x.args, "delayed", waited)
	}
	x.sink.Log(x.level, x.text, x.args...)
}

// Stop ends the goroutine once it has passed on all lines that wait. If that takes more than a second, Stop drops the
// rest and returns, and the goroutine ends as soon as the logger returns. Later lines are dropped. Stop must be called
// once.
func (q *lines) Stop() {
	close(q.stop)
	enough := time.NewTimer(patience)
	defer enough.Stop()
	select {
	case <-q.done:
	case <-enough.C:
		q.givenUp.Store(true)
		q.queue.Close()
	}
}

// frozen returns a copy of args in which values that their owner may change are replaced by their texts, and how many
// bytes the texts have.
func frozen(args []any) (copied []any, size int) {
	copied = slices.Clone(args)
	for i, arg := range copied {
		v := reflect.ValueOf(arg)
		if kind := v.Kind(); kind <= reflect.Complex128 { // no value at all, or a number
			continue
		} else if kind != reflect.String {
			copied[i] = text(arg)
		}
		size += len(fmt.Sprint(copied[i]))
	}
	return copied, size
}

// text returns an argument as hclog shows it. An error stays an error.
func text(arg any) any {
	switch x := arg.(type) {
	case time.Time:
		return x
	case error:
		return errors.New(fmt.Sprint(x))
	case []string:
		return slices.Clone(x)
	case hclog.Format:
		if len(x) > 0 {
			return fmt.Sprintf(fmt.Sprint(x[0]), x[1:]...)
		}
	}
	return fmt.Sprint(arg)
}
