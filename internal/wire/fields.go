package wire

import (
	"errors"
	"fmt"
	"math"

	"github.com/smr-go/smr/internal/vsr"
)

// fields goes over the fields of a message in the order of its layout, and either writes them or
// reads them: one description serves both ways, so that they cannot differ. Writing only reads
// the fields. Reading stops at the first error; the fields after it stay as they are.
type fields struct {
	b       []byte // writing: the message so far; reading: what is left of it
	reading bool
	err     error // reading only
}

var errCut = errors.New("ends inside a field")

// take cuts the next n bytes off, or returns nil.
func (f *fields) take(n int) []byte {
	if f.err == nil && uint64(n) > uint64(len(f.b)) {
		f.err = errCut
	}
	if f.err != nil {
		return nil
	}
	x := f.b[:n:n]
	f.b = f.b[n:]
	return x
}

// end returns the first error; bytes left over are one.
func (f *fields) end() error {
	if f.err == nil && len(f.b) != 0 {
		f.err = fmt.Errorf("%d bytes too many", len(f.b))
	}
	return f.err
}

// num is a number of 8 bytes.
func num[T ~uint64 | ~int64](f *fields, v *T) {
	if !f.reading {
		f.b = le.AppendUint64(f.b, uint64(*v))
	} else if x := f.take(8); x != nil {
		*v = T(le.Uint64(x))
	}
}

// num2 is two numbers.
func num2[A, B ~uint64](f *fields, a *A, b *B) {
	num(f, a)
	num(f, b)
}

// num3 is three numbers.
func num3[A, B, C ~uint64](f *fields, a *A, b *B, c *C) {
	num2(f, a, b)
	num(f, c)
}

// num4 is four numbers.
func num4[A, B, C, D ~uint64](f *fields, a *A, b *B, c *C, d *D) {
	num2(f, a, b)
	num2(f, c, d)
}

// num32 is a number of 4 bytes.
func (f *fields) num32(v *uint32) {
	if !f.reading {
		f.b = le.AppendUint32(f.b, *v)
	} else if x := f.take(4); x != nil {
		*v = le.Uint32(x)
	}
}

// flag is a byte, 0 or 1.
func (f *fields) flag(v *bool) {
	if !f.reading {
		x := byte(0)
		if *v {
			x = 1
		}
		f.b = append(f.b, x)
	} else if x := f.take(1); x != nil {
		if x[0] > 1 {
			f.err = fmt.Errorf("flag is %d, not 0 or 1", x[0])
		}
		*v = x[0] == 1
	}
}

// raw is bytes of a fixed number.
func (f *fields) raw(v []byte) {
	if f.reading {
		copy(v, f.take(len(v)))
	} else {
		f.b = append(f.b, v...)
	}
}

// bytes is a length of 4 bytes and as many bytes, of which none is copied. Empty is nil.
func (f *fields) bytes(v *[]byte) {
	n := length(*v)
	f.num32(&n)
	if !f.reading {
		f.b = append(f.b, *v...)
	} else if x := f.take(int(n)); len(x) > 0 {
		*v = x
	}
}

// text is a string as bytes are.
func (f *fields) text(v *string) {
	b := []byte(*v)
	f.bytes(&b)
	if f.reading && f.err == nil {
		*v = string(b)
	}
}

// list is a number of 4 bytes and as many items, each of size bytes at least; write appends one
// to what is given, read reads the one that it begins with and returns what follows. None is nil.
func list[T any](f *fields, v *[]T, size int, write func([]byte, *T) []byte, read func([]byte, *T) ([]byte, error)) {
	n := uint32(len(*v))
	f.num32(&n)
	if !f.reading {
		for i := range *v {
			f.b = write(f.b, &(*v)[i])
		}
		return
	}
	if f.err == nil && uint64(n)*uint64(size) > uint64(len(f.b)) {
		f.err = fmt.Errorf("count is %d, more than %d bytes hold", n, len(f.b))
	}
	if f.err != nil || n == 0 {
		return
	}
	*v = make([]T, n)
	for i := 0; i < len(*v) && f.err == nil; i++ {
		f.b, f.err = read(f.b, &(*v)[i])
	}
}

// header is what goes with every message.
func (f *fields) header(h *vsr.Header) {
	f.raw(h.Group[:])
	num(f, &h.Epoch)
	f.raw(h.Incarnation[:])
	num(f, &h.Start)
}

// stamp is 24 bytes.
func (f *fields) stamp(s *vsr.Viewstamp) { num3(f, &s.Epoch, &s.View, &s.Op) }

// snapshotID is 56 bytes.
func (f *fields) snapshotID(s *vsr.SnapshotID) {
	f.stamp(&s.Last)
	f.raw(s.Hash[:])
}

// membership is what Membership.Encode wrote, as bytes are.
func (f *fields) membership(m *vsr.Membership) {
	var b []byte
	if !f.reading {
		b = m.Encode()
	}
	f.bytes(&b)
	if f.reading && f.err == nil {
		*m, f.err = vsr.DecodeMembership(b)
	}
}

// length returns the length of a body as the formats hold it.
func length(b []byte) uint32 {
	if uint64(len(b)) > math.MaxUint32 {
		panic(fmt.Sprintf("wire: body of %d bytes, at most %d fit: the limit on operations is not kept", len(b), uint32(math.MaxUint32)))
	}
	return uint32(len(b))
}
