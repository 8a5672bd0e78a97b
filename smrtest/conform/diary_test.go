package conform

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/smr-go/smr"
)

// diary records all operations, in order. A result is the number of pages.
type diary struct {
	mute bool // it cannot take snapshots

	mu    sync.Mutex
	pages []string
}

func newDiary() *diary { return &diary{} }

func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.pages)
}

// sleeps is what a diary takes a second to write.
const sleeps = "sleeps"

func (d *diary) Apply(op smr.Op) []byte {
	if string(op.Body) == sleeps {
		time.Sleep(time.Second)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pages = append(d.pages, string(op.Body))
	return fmt.Append(nil, len(d.pages))
}

func (d *diary) Snapshot() (io.WriterTo, error) {
	if d.mute {
		return nil, errors.New("out of paper")
	}
	b, err := json.Marshal(d.read())
	return strings.NewReader(string(b)), err
}

func (d *diary) Restore(r io.Reader) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pages = nil
	return json.NewDecoder(r).Decode(&d.pages)
}
