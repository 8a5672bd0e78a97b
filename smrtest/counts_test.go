package smrtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/smr-go/smr"
)

// counts is a state machine that counts names. It is correct except for its bug.
type counts struct {
	N      map[string]int
	bug    string
	kept   []byte
	secret int // not part of snapshots
}

func newCounts() *counts { return &counts{N: map[string]int{}} }

func buggy(bug string) func() *counts {
	return func() *counts {
		c := newCounts()
		c.bug = bug
		return c
	}
}

// inc adds one to the count of that name; the result is the new count.
func inc(name string) []byte { return []byte(name) }

func (c *counts) Apply(op smr.Op) []byte {
	name := string(op.Body)
	c.N[name]++
	switch c.bug {
	case "panic":
		if c.N[name] == 3 {
			panic("three is too many")
		}
	case "keeps":
		last := string(c.kept)
		c.kept = op.Body
		return []byte(last)
	case "forgets":
		c.secret++
		return strconv.AppendInt(nil, int64(c.secret), 10)
	case "year":
		return strconv.AppendInt(nil, int64(time.Now().Year()), 10)
	case "sleeps":
		time.Sleep(time.Microsecond)
	case "wide":
		c.secret++
		return append(bytes.Repeat([]byte("0"), 500), byte('0'+c.secret))
	case "changes":
		op.Body[0] = 'x'
	}
	return strconv.AppendInt(nil, int64(c.N[name]), 10)
}

func (c *counts) Snapshot() (io.WriterTo, error) {
	if c.bug == "no snapshot" {
		return nil, errors.New("out of paper")
	}
	if c.bug == "thawed" {
		return thawed{c}, nil
	}
	b, err := json.Marshal(c.N)
	return strings.NewReader(string(b)), err
}

func (c *counts) Restore(r io.Reader) error {
	c.N = map[string]int{}
	return json.NewDecoder(r).Decode(&c.N)
}

// thawed writes the state as it is when it is written.
type thawed struct{ c *counts }

func (t thawed) WriteTo(w io.Writer) (int64, error) {
	b, err := json.Marshal(t.c.N)
	if err != nil {
		return 0, err
	}
	n, err := w.Write(b)
	return int64(n), err
}
