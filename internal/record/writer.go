package record

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// Writer writes a recording. It buffers its records, and flushes them at the end of each turn. After an error it writes
// nothing more, and Close returns the error, so that the replica continues. A Writer is for one goroutine at a time.
type Writer struct {
	out    *bufio.Writer
	memory []byte // of the next record
	digest digest
	calls  uint64 // calls of Deadline since the section began
	err    error
}

// NewWriter returns a Writer that writes a recording to w.
func NewWriter(w io.Writer) *Writer {
	r := &Writer{out: bufio.NewWriter(w), digest: newDigest()}
	_, r.err = r.out.Write(header())
	return r
}

// Started records the arguments of vsr.New. It wraps the Detector and the source of random numbers, so that their
// answers are recorded.
func (w *Writer) Started(c *vsr.Config, d *vsr.Durable, now time.Time) {
	w.write(startRecord, func(f *fields) { f.start(&start{now, *c, *d}) })
	c.Detector = &recordedDetector{Detector: c.Detector, w: w}
	c.Rand = rand.New(&recordedSource{c.Rand, w})
}

// Stepping records an event before the core handles it, so that the recording includes an event that makes it panic.
func (w *Writer) Stepping(now time.Time, e vsr.Event) {
	w.calls = 0
	w.write(eventRecord, func(f *fields) { f.visit(&now, &e) })
}

// Stepped adds an event with its results to the digest of the turn.
func (w *Writer) Stepped(e vsr.Event) { w.digest.results(e) }

// Readied records the end of a turn.
func (w *Writer) Readied(now time.Time, h vsr.Header, out *vsr.Output) {
	w.calls = 0
	sum := w.digest.output(h, out)
	w.write(turnRecord, func(f *fields) { f.visit(&now, &sum) })
	if w.err == nil {
		w.err = w.out.Flush()
	}
}

// answered records that the Detector's answer changes with this call.
func (w *Writer) answered(at time.Time) {
	w.write(answerRecord, func(f *fields) { f.visit(&w.calls, &at) })
}

// drew records a random number.
func (w *Writer) drew(x uint64) { w.write(drawRecord, func(f *fields) { f.visit(&x) }) }

// write writes a record.
func (w *Writer) write(kind byte, visit func(f *fields)) {
	if w.err != nil {
		return
	}
	f := fields{b: beginFrame(w.memory, kind)}
	if visit(&f); len(f.b) > math.MaxUint32 {
		w.err = fmt.Errorf("record: a record of %d bytes, not %d at most", len(f.b), math.MaxUint32)
		return
	}
	f.b = endFrame(f.b)
	_, w.err = w.out.Write(f.b)
	w.memory = reused(f.b)
}

// maxReused limits the memory in bytes that is kept from record to record.
const maxReused = 1 << 20

// reused returns the memory of b for other contents, unless it is too large.
func reused(b []byte) []byte {
	if cap(b) > maxReused {
		return nil
	}
	return b[:0]
}

// Close flushes the recording. It returns the first error, at which the recording ends.
func (w *Writer) Close() error {
	if w.err == nil {
		w.err = w.out.Flush()
	}
	return w.err
}
