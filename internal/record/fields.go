package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math/rand/v2"
	"reflect"
	"time"

	"github.com/smr-go/smr/internal/reading"
	"github.com/smr-go/smr/internal/vsr"
)

// fields encodes or decodes values of the core's types. One walk over a value serves both directions and visits every
// field, so the directions cannot differ and no field can be left out. A field of a type without an encoding, and a
// field that is not exported, panics. Decoding stops at the first error. Decoded bytes alias the record.
//
//	struct            its fields, in the order of their declaration
//	number            an unsigned or a signed varint
//	bool              0 or 1
//	array of bytes    the bytes
//	[]byte, string    0 if nil, otherwise the length + 1 and the bytes
//	other slice       the number of items, and the items; it is nil if empty
//	pointer           whether it is not nil, and the value
//	time.Time         see time
//	error             whether it is not nil, and its text
//	Message, Event    the number of its type, and the struct
type fields struct {
	b       []byte    // encoding: the record so far; decoding: the rest of the content
	reading bool      // whether values are decoded
	err     error     // first error while decoding
	hash    hash.Hash // encoding: gets the encoded items of slices, instead of b; nil: none
}

var (
	errCut    = errors.New("it ends inside a field")
	errNumber = errors.New("a number is too large for its field")
)

// fail records the first error, and ends the content.
func (f *fields) fail(err error) {
	if f.err == nil {
		f.err, f.b = err, nil
	}
}

// end returns the first error, or an error if bytes are left over.
func (f *fields) end() error {
	if len(f.b) > 0 {
		f.fail(fmt.Errorf("it has %d bytes too many", len(f.b)))
	}
	return f.err
}

// visit visits the values at the pointers.
func (f *fields) visit(pointers ...any) {
	for _, p := range pointers {
		f.value(reflect.ValueOf(p).Elem())
	}
}

func (f *fields) value(v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *time.Time:
		f.time(p)
	case *error:
		f.failure(p)
	case *vsr.Message:
		f.message(p)
	case *vsr.Event:
		f.event(p)
	case *[]byte:
		if x := f.bytes(*p); f.reading {
			*p = x
		}
	case *vsr.Detector, **rand.Rand: // their answers are recorded
	default:
		f.plain(v)
	}
}

// plain visits a value whose encoding follows from the kind of its type.
func (f *fields) plain(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f.value(v.Field(i))
		}
	case reflect.Slice:
		f.items(v)
	case reflect.Array:
		if f.reading {
			copy(v.Bytes(), f.take(uint64(v.Len())))
		} else {
			f.b = append(f.b, v.Bytes()...)
		}
	case reflect.Pointer:
		if !f.flag(!v.IsNil()) {
			return
		}
		if f.reading {
			v.Set(reflect.New(v.Type().Elem()))
		}
		f.value(v.Elem())
	default:
		f.scalar(v)
	}
}

func (f *fields) scalar(v reflect.Value) {
	switch v.Kind() {
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		if x := f.unsigned(v.Uint()); v.OverflowUint(x) {
			f.fail(errNumber)
		} else if f.reading {
			v.SetUint(x)
		}
	case reflect.Int, reflect.Int64:
		if x := f.signed(v.Int()); v.OverflowInt(x) {
			f.fail(errNumber)
		} else if f.reading {
			v.SetInt(x)
		}
	case reflect.Bool:
		if x := f.flag(v.Bool()); f.reading {
			v.SetBool(x)
		}
	case reflect.String:
		if x := f.bytes([]byte(v.String())); f.reading {
			v.SetString(string(x))
		}
	default:
		panic(fmt.Sprintf("record: values of type %v have no encoding", v.Type()))
	}
}

// items visits the items of a slice, each of which takes at least one byte.
func (f *fields) items(v reflect.Value) {
	n := f.unsigned(uint64(v.Len()))
	if f.reading && n > uint64(len(f.b)) {
		f.fail(errCut)
	}
	if f.err != nil || n == 0 {
		return
	}
	if f.reading {
		v.Set(reflect.MakeSlice(v.Type(), int(n), int(n)))
	}
	for i := range v.Len() {
		f.value(v.Index(i))
		f.drain()
	}
}

// drain hashes the encoded bytes and discards them, if there is a hash.
func (f *fields) drain() {
	if f.hash != nil {
		f.hash.Write(f.b)
		f.b = reused(f.b)
	}
}

func (f *fields) unsigned(x uint64) uint64 {
	if !f.reading {
		f.b = binary.AppendUvarint(f.b, x)
		return x
	}
	x, n := binary.Uvarint(f.b)
	if n <= 0 {
		f.fail(errCut)
		return 0
	}
	f.b = f.b[n:]
	return x
}

// signed visits a number that may be negative: its sign is the lowest bit.
func (f *fields) signed(x int64) int64 {
	u := f.unsigned(uint64(x)<<1 ^ uint64(x>>63))
	return int64(u>>1) ^ -int64(u&1)
}

func (f *fields) flag(set bool) bool {
	x := uint64(0)
	if set {
		x = 1
	}
	if x = f.unsigned(x); x > 1 {
		f.fail(errNumber)
	}
	return x == 1
}

// take returns the next n bytes, or nil if there are fewer.
func (f *fields) take(n uint64) []byte {
	if n > uint64(len(f.b)) {
		f.fail(errCut)
		return nil
	}
	x := f.b[:n:n]
	f.b = f.b[n:]
	return x
}

func (f *fields) bytes(v []byte) []byte {
	n := uint64(0)
	if v != nil {
		n = uint64(len(v)) + 1
	}
	if n = f.unsigned(n); n == 0 {
		return nil
	}
	if f.reading {
		return f.take(n - 1)
	}
	f.b = append(f.b, v...)
	return v
}

func (f *fields) failure(v *error) {
	if !f.flag(*v != nil) {
		return
	}
	if f.reading {
		*v = errors.New(string(f.bytes(nil)))
	} else {
		f.bytes([]byte((*v).Error()))
	}
}

// time visits a time: seconds and nanoseconds of the wall clock, and the reading of the monotonic clock if it has one.
// The core needs both: entries carry wall clock time, and timeouts use the monotonic clock.
func (f *fields) time(v *time.Time) {
	seconds, nanoseconds := f.signed(v.Unix()), f.signed(int64(v.Nanosecond()))
	mono, monotonic := reading.Mono(*v)
	if monotonic = f.flag(monotonic); monotonic {
		mono = time.Duration(f.signed(int64(mono)))
	}
	if nanoseconds < 0 || nanoseconds >= 1e9 || monotonic && !reading.InRange(seconds) {
		f.fail(errNumber)
	}
	if !f.reading || f.err != nil {
		return
	}
	if *v = time.Unix(seconds, nanoseconds).UTC(); monotonic {
		*v = reading.Of(*v, mono)
	}
}
