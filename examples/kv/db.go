package main

import (
	"context"
	"fmt"
	"iter"

	"github.com/smr-go/smr"
)

// group is what this program needs of a *smr.Replica.
type group interface {
	Propose(ctx context.Context, body []byte) ([]byte, error)
	Read(ctx context.Context, level smr.ReadLevel, f func()) error
	Status() smr.Status
	Watch(ctx context.Context) iter.Seq[smr.Status]
}

var _ group = (*smr.Replica)(nil)

// maxOp is the limit of an encoded command in bytes: Config.MaxOpSize.
const maxOp = 1 << 20

// db is the replicated store as seen through one replica: typed reads and writes. Its methods may
// be called concurrently.
type db struct {
	group group
	store *store
}

// tooLarge is the error of a command that is not proposed because of its size.
type tooLarge struct{ size int }

func (e tooLarge) Error() string {
	return fmt.Sprintf("key, value and request id take %d bytes encoded, at most %d are allowed: store less under one key", e.size, maxOp)
}

// write executes the command on every replica. Its errors are tooLarge and those of Propose.
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

// version is what was read under a key.
type version struct {
	value   []byte // not to be changed
	present bool
	op      uint64 // the last op that the state read had applied
}

// get reads one key.
func (d *db) get(ctx context.Context, level smr.ReadLevel, key string) (v version, err error) {
	err = d.group.Read(ctx, level, func() {
		v.value, v.present = d.store.get(key)
		v.op = d.store.applied
	})
	return v, err
}

// scan reads the first limit pairs from key from to key to, linearizably.
func (d *db) scan(ctx context.Context, from, to string, limit int) (found []pair, err error) {
	err = d.group.Read(ctx, smr.Linearizable, func() { found = d.store.scan(from, to, limit) })
	return found, err
}
