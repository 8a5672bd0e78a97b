package main

import (
	"context"
	"fmt"
	"iter"

	"github.com/smr-go/smr"
)

// group is the part of *smr.Replica that this program uses.
type group interface {
	Propose(ctx context.Context, body []byte) ([]byte, error)
	Read(ctx context.Context, level smr.ReadLevel, f func()) error
	Status() smr.Status
	Watch(ctx context.Context) iter.Seq[smr.Status]
}

var _ group = (*smr.Replica)(nil)

// maxOp is Config.MaxOpSize, the limit of an encoded command in bytes.
const maxOp = 1 << 20

// db provides typed reads and writes of the replicated store through one replica. Its methods may be
// called concurrently.
type db struct {
	group group
	store *store
}

// tooLarge reports that a command was not proposed because of its size.
type tooLarge struct{ size int }

func (e tooLarge) Error() string {
	return fmt.Sprintf("key, value and request id take %d bytes encoded, at most %d are allowed: store less under one key", e.size, maxOp)
}

// write executes a command on every replica. Its errors are tooLarge and those of Propose.
func (d *db) write(ctx context.Context, c command) (answer, error) {
	body := encode(c)
	if len(body) > maxOp {
		return answer{}, tooLarge{len(body)}
	}
	result, err := d.group.Propose(ctx, body)
	if err != nil {
		return answer{}, err
	}
	return decodeAnswer(result)
}

// version is the result of reading a key.
type version struct {
	value   []byte // must not be changed
	present bool
	op      uint64 // number of the last operation that the state had applied when it was read
}

// get reads a key.
func (d *db) get(ctx context.Context, level smr.ReadLevel, key string) (v version, err error) {
	err = d.group.Read(ctx, level, func() {
		v.value, v.present = d.store.get(key)
		v.op = d.store.applied
	})
	return v, err
}

// scan reads pairs linearizably, as store.scan does.
func (d *db) scan(ctx context.Context, from, to string, limit int) (found []pair, next string, more bool, err error) {
	err = d.group.Read(ctx, smr.Linearizable, func() { found, next, more = d.store.scan(from, to, limit) })
	return found, next, more, err
}
