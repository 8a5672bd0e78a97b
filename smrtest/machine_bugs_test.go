package smrtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/smr-go/smr"
)

// book is a good state machine, a book of notes, but for the bug it is told to have.
type book struct {
	bug string

	page   pages
	shared map[string][]byte // by all books; may be nil

	calls  int // no state
	dice   *rand.Rand
	answer []byte
	busy   *atomic.Bool // while a snapshot is written
	procs  int          // when it was made
}

// pages is the state of a book.
type pages struct {
	Notes map[string][]byte
	Sums  map[string]float64
	Count int       // of operations
	Last  time.Time // Op.Time of the last one
}

// newBook returns what TestStateMachine takes.
func newBook(bug string) func() smr.StateMachine {
	shared := map[string][]byte{}
	return func() smr.StateMachine {
		b := &book{
			bug:   bug,
			page:  pages{Notes: map[string][]byte{}, Sums: map[string]float64{}},
			dice:  rand.New(rand.NewPCG(1, 2)),
			busy:  new(atomic.Bool),
			procs: runtime.GOMAXPROCS(0),
		}
		switch bug {
		case "one map for all":
			b.page.Notes = shared
		case "one map for all, once":
			b.page.Notes, b.page.Count = maps.Clone(shared), len(shared)
			b.shared = shared
		case "initial state by the clock":
			b.page.Last = time.Now()
		}
		return b
	}
}

// bookOps are operations that reach every bug.
func bookOps() (ops [][]byte) {
	for i := range 12 {
		key := string(rune('a' + i%5))
		for _, op := range []string{"put %s some text %d", "append %s, more", "get %s", "add %s 0.%d1", "dot %s", "keys", "sum", "when", "count", "get nothing"} {
			switch strings.Count(op, "%") {
			case 0:
			case 1:
				op = fmt.Sprintf(op, key)
			case 2:
				op = fmt.Sprintf(op, key, i)
			}
			if i%4 != 3 || op == "count" { // notes are not always written anew
				ops = append(ops, []byte(op))
			}
		}
	}
	return ops
}

// blindOps are operations whose results show nothing.
func blindOps() (ops [][]byte) {
	for i := range 20 {
		ops = append(ops, fmt.Appendf(nil, "put %c text %d", 'a'+i%3, i))
	}
	return ops
}

var (
	applications atomic.Int64 // of all books
	processSeed  = maphash.MakeSeed()
)

func (b *book) Apply(op smr.Op) []byte {
	if string(op.Body) == "idle" {
		return nil
	}
	b.page.Count++
	b.page.Last = op.Time
	b.calls++
	result := b.apply(op)
	switch b.bug {
	case "panic":
		if op.Number == 30 {
			panic("thirty")
		}
	case "body changed":
		bytes.ToUpper(op.Body)
		op.Body[0] = 'X'
	case "body returned":
		return op.Body[1:]
	case "result buffer used again":
		b.answer = append(b.answer[:0], result...)
		return b.answer
	case "busy while a snapshot is written":
		if b.busy.Load() {
			return []byte("busy")
		}
	}
	return result
}

func (b *book) apply(op smr.Op) []byte {
	command, rest, _ := strings.Cut(string(op.Body), " ")
	key, text, _ := strings.Cut(rest, " ")
	switch command {
	case "put":
		b.page.Notes[key] = []byte(text)
		switch b.bug {
		case "body kept":
			b.page.Notes[key] = op.Body[len(op.Body)-len(text):]
		case "one map for all, once":
			b.shared[key] = []byte(text)
		case "process id":
			b.page.Notes["by"] = strconv.AppendInt(nil, int64(os.Getpid()), 10)
		}
		return nil
	case "append":
		b.page.Notes[key] = append(b.page.Notes[key], text...)
		return []byte{}
	case "dot": // changes a note in place
		if note := b.page.Notes[key]; len(note) > 0 {
			note[b.page.Count%len(note)] = '.'
		}
		return nil
	case "get":
		return bytes.Clone(b.page.Notes[key])
	case "add":
		var x float64
		fmt.Sscan(text, &x)
		b.page.Sums[key] += x
		return fmt.Append(nil, b.page.Sums[key])
	}
	return b.ask(command, op)
}

// ask answers questions about the whole book.
func (b *book) ask(question string, op smr.Op) []byte {
	switch question {
	case "keys":
		keys := slices.Collect(maps.Keys(b.page.Notes))
		if b.bug != "map order" {
			slices.Sort(keys)
		}
		return fmt.Append(nil, keys)
	case "sum":
		sum := 0.0
		for _, key := range slices.Sorted(maps.Keys(b.page.Sums)) {
			sum += b.page.Sums[key]
		}
		if b.bug == "floats summed in map order" {
			sum = 0
			for key, x := range b.page.Sums {
				sum += x + map[string]float64{"a": 1e16, "b": -1e16}[key]
			}
		}
		return fmt.Append(nil, sum)
	case "when":
		return fmt.Append(nil, b.when())
	case "count":
		return fmt.Append(nil, b.count())
	}
	return nil
}

func (b *book) when() any {
	switch b.bug {
	case "clock":
		return time.Now()
	case "clock, coarse":
		return time.Now().Year()
	case "expiry by the clock":
		return time.Since(b.page.Last) > 24*time.Hour
	case "time zone":
		return b.page.Last.Local()
	}
	return b.page.Last
}

func (b *book) count() any {
	switch b.bug {
	case "goroutine in Apply":
		go b.idle()
	case "random":
		return rand.Uint64()
	case "random, seeded":
		return b.dice.Uint64()
	case "no state":
		return b.calls
	case "global variable":
		return applications.Add(1)
	case "processors":
		return runtime.GOMAXPROCS(0)
	case "processors when made":
		return b.procs
	case "hash seed":
		return maphash.String(processSeed, "count") % 1_000_000
	}
	return b.page.Count
}

func (p pages) clone(deep bool) pages {
	p.Notes, p.Sums = maps.Clone(p.Notes), maps.Clone(p.Sums)
	for key, note := range p.Notes {
		if deep {
			p.Notes[key] = bytes.Clone(note)
		}
	}
	return p
}

func (b *book) Snapshot() (io.WriterTo, error) {
	frozen := &bookSnapshot{book: b, page: b.page.clone(true)}
	switch b.bug {
	case "Snapshot fails":
		return nil, errors.New("no memory")
	case "Snapshot returns nothing":
		return nil, nil
	case "Snapshot panics":
		panic("no memory")
	case "goroutine in Snapshot":
		go b.idle()
	case "Snapshot changes the state":
		b.page.Count++
	case "snapshot shares slices":
		frozen.page = b.page.clone(false)
	}
	return frozen, nil
}

type bookSnapshot struct {
	book   *book
	page   pages
	closed bool
}

func (s *bookSnapshot) WriteTo(w io.Writer) (int64, error) {
	switch s.book.bug {
	case "snapshot not frozen":
		s.page = s.book.page
	case "busy while a snapshot is written":
		s.book.busy.Store(true)
		defer s.book.busy.Store(false)
	case "writer's error dropped":
		json.NewEncoder(w).Encode(s.page)
		return 0, nil
	case "snapshot in map order", "forgotten field, snapshot in map order":
		return s.writeUnordered(w)
	}
	return 0, json.NewEncoder(w).Encode(s.page)
}

// writeUnordered writes JSON in whatever order the maps have.
func (s *bookSnapshot) writeUnordered(w io.Writer) (int64, error) {
	var notes, sums []string
	for key, note := range s.page.Notes {
		text, _ := json.Marshal(note)
		notes = append(notes, fmt.Sprintf("%q:%s", key, text))
	}
	for key, x := range s.page.Sums {
		sums = append(sums, fmt.Sprintf("%q:%v", key, x))
	}
	last, _ := json.Marshal(s.page.Last)
	n, err := fmt.Fprintf(w, `{"Notes":{%s},"Sums":{%s},"Count":%d,"Last":%s}`,
		strings.Join(notes, ","), strings.Join(sums, ","), s.page.Count, last)
	return int64(n), err
}

func (s *bookSnapshot) Close() error {
	if s.closed {
		return errors.New("closed twice")
	}
	s.closed = true
	if s.book.bug == "Close fails" {
		return errors.New("no such file")
	}
	return nil
}

// idle waits for nobody.
func (b *book) idle() { <-make(chan int) }

func (b *book) Restore(r io.Reader) error {
	if b.bug == "goroutine in Restore" {
		go b.idle()
	}
	all, err := b.read(r)
	restored := pages{Notes: map[string][]byte{}, Sums: map[string]float64{}}
	if b.bug == "Restore merges" {
		restored.Notes = b.page.Notes
	}
	if err == nil || b.bug == "reader's error dropped" {
		err = json.Unmarshal(all, &restored)
	}
	switch {
	case b.bug == "reader's error dropped":
		err = nil
	case b.bug == "Restore fails":
		return errors.New("no memory")
	case b.bug == "Restore panics" && err != nil && !errors.Is(err, errDevice):
		panic(err)
	case strings.HasPrefix(b.bug, "forgotten field"):
		restored.Last = time.Time{}
	case b.bug == "Restore keeps no zero" && len(restored.Notes) == 0:
		return nil
	}
	b.page = restored
	return err
}

func (b *book) read(r io.Reader) ([]byte, error) {
	if b.bug != "one Read" {
		return io.ReadAll(r)
	}
	all := make([]byte, 1<<20)
	n, err := r.Read(all)
	if n > 0 {
		err = nil
	}
	return all[:n], err
}
