package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/smr-go/smr/internal/reading"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// fields visits the fields of a record in the order of the format, and either encodes or decodes them. Both directions
// share one description, so they cannot differ. Decoding stops at the first error and leaves the remaining fields
// unchanged. Decoded bytes alias the record.
type fields struct {
	b       []byte // encoding: the record so far; decoding: the rest of the content
	reading bool   // whether the fields are decoded
	err     error  // first error while decoding
}

var (
	errCut    = errors.New("it ends inside a field")
	errNumber = errors.New("a number is too large for its field")
)

// fail records the first error.
func (f *fields) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

// end returns the first error, or an error if bytes are left over.
func (f *fields) end() error {
	if len(f.b) > 0 {
		f.fail(fmt.Errorf("it has %d bytes too many", len(f.b)))
	}
	return f.err
}

// take returns the next n bytes, or nil after an error.
func (f *fields) take(n uint64) []byte {
	if n > uint64(len(f.b)) {
		f.fail(errCut)
	}
	if f.err != nil {
		return nil
	}
	x := f.b[:n:n]
	f.b = f.b[n:]
	return x
}

// num visits a number that is not negative, as an unsigned varint.
func num[T ~uint64 | ~uint32 | ~uint8](f *fields, v *T) {
	if !f.reading {
		f.b = binary.AppendUvarint(f.b, uint64(*v))
		return
	}
	x, n := binary.Uvarint(f.b)
	if n <= 0 {
		f.fail(errCut)
	}
	if uint64(T(x)) != x {
		f.fail(errNumber)
	}
	if f.err == nil {
		*v, f.b = T(x), f.b[n:]
	}
}

// signed visits a number that may be negative, as a signed varint.
func signed[T ~int64 | ~int](f *fields, v *T) {
	if !f.reading {
		f.b = binary.AppendVarint(f.b, int64(*v))
		return
	}
	x, n := binary.Varint(f.b)
	if n <= 0 {
		f.fail(errCut)
	}
	if int64(T(x)) != x {
		f.fail(errNumber)
	}
	if f.err == nil {
		*v, f.b = T(x), f.b[n:]
	}
}

// flag visits a byte that is 0 or 1.
func (f *fields) flag(v *bool) {
	x := uint8(0)
	if *v {
		x = 1
	}
	num(f, &x)
	if x > 1 {
		f.fail(errNumber)
	}
	if f.reading && f.err == nil {
		*v = x == 1
	}
}

// raw visits a fixed number of bytes.
func (f *fields) raw(v []byte) {
	if f.reading {
		copy(v, f.take(uint64(len(v))))
	} else {
		f.b = append(f.b, v...)
	}
}

// bytes visits a length and that many bytes. A decoded slice is nil if empty.
func (f *fields) bytes(v *[]byte) {
	n := uint64(len(*v))
	num(f, &n)
	if !f.reading {
		f.b = append(f.b, *v...)
	} else if x := f.take(n); len(x) > 0 {
		*v = x
	}
}

// text visits a string, in the format of bytes.
func (f *fields) text(v *string) {
	b := []byte(*v)
	f.bytes(&b)
	if f.reading && f.err == nil {
		*v = string(b)
	}
}

// failure visits an error: a flag, and its text unless it is nil.
func (f *fields) failure(v *error) {
	failed, text := *v != nil, ""
	if failed {
		text = (*v).Error()
	}
	if f.flag(&failed); failed {
		f.text(&text)
	}
	if f.reading && failed && f.err == nil {
		*v = errors.New(text)
	}
}

// list visits the number of items, then each item, which takes at least one byte. A decoded list is nil if empty.
func list[T any](f *fields, v *[]T, visit func(*T)) {
	n := uint64(len(*v))
	num(f, &n)
	if f.reading {
		if n > uint64(len(f.b)) {
			f.fail(errCut)
		}
		if f.err != nil || n == 0 {
			return
		}
		*v = make([]T, n)
	}
	for i := 0; i < len(*v) && f.err == nil; i++ {
		visit(&(*v)[i])
	}
}

// optional visits a flag that reports whether a value follows, and the value.
func optional[T any](f *fields, v **T, visit func(*T)) {
	there := *v != nil
	if f.flag(&there); !there {
		return
	}
	if f.reading {
		*v = new(T)
	}
	visit(*v)
}

// time visits a time: seconds and nanoseconds of the wall clock, and the reading of the monotonic clock if it has one.
// The core needs both: entries carry wall clock time, and timeouts use the monotonic clock.
func (f *fields) time(v *time.Time) {
	seconds, nanoseconds := v.Unix(), uint32(v.Nanosecond())
	mono, monotonic := reading.Mono(*v)
	signed(f, &seconds)
	num(f, &nanoseconds)
	if f.flag(&monotonic); monotonic {
		signed(f, &mono)
	}
	if nanoseconds >= 1e9 || monotonic && !reading.InRange(seconds) {
		f.fail(errNumber)
	}
	if !f.reading || f.err != nil {
		return
	}
	if *v = time.Unix(seconds, int64(nanoseconds)).UTC(); monotonic {
		*v = reading.Of(*v, mono)
	}
}

// stamp visits a viewstamp.
func (f *fields) stamp(v *vsr.Viewstamp) {
	num(f, &v.Epoch)
	num(f, &v.View)
	num(f, &v.Op)
}

// head visits the head of a log.
func (f *fields) head(v *vsr.Head) {
	f.raw(v.Group[:])
	f.raw(v.Incarnation[:])
	num(f, &v.Start)
	num(f, &v.Epoch)
	num(f, &v.View)
	num(f, &v.Commit)
}

// entry visits an entry, in the format of internal/wire.
func (f *fields) entry(v *vsr.Entry) {
	if !f.reading {
		f.b = wire.AppendEntry(f.b, v)
	} else if e, rest, err := wire.DecodeEntry(f.b); err != nil {
		f.fail(err)
	} else {
		*v, f.b = e, rest
	}
}

func (f *fields) entries(v *[]vsr.Entry) { list(f, v, f.entry) }

// members visits a member list as encoded by Membership.Encode; without members, no bytes.
func (f *fields) members(v *vsr.Membership) {
	var b []byte
	if !f.reading && len(v.Members) > 0 {
		b = v.Encode()
	}
	f.bytes(&b)
	if f.reading && f.err == nil && len(b) > 0 {
		m, err := vsr.DecodeMembership(b)
		if err != nil {
			f.fail(err)
		}
		*v = m
	}
}

func (f *fields) snapshotID(v *vsr.SnapshotID) {
	f.stamp(&v.Last)
	f.raw(v.Hash[:])
}

func (f *fields) snapshot(v *vsr.Snapshot) {
	f.snapshotID(&v.SnapshotID)
	signed(f, &v.Size)
	num(f, &v.Chunks)
	f.members(&v.Members)
}
