package wire

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/smr-go/smr/internal/vsr"
)

// fields visits the fields of a message in the order of the format, and either encodes or decodes
// them. Both directions share one description, so they cannot differ. Encoding does not modify the
// fields. Decoding stops at the first error and leaves the remaining fields unchanged.
type fields struct {
	b       []byte // encoding: the message so far; decoding: the rest of the message
	reading bool   // whether the fields are decoded
	err     error  // first error while decoding
}

var errCut = errors.New("ends inside a field")

// take returns the next n bytes and advances, or returns nil after an error.
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

// end returns the first error, or an error if bytes are left over.
func (f *fields) end() error {
	if f.err == nil && len(f.b) != 0 {
		f.err = fmt.Errorf("%d bytes too many", len(f.b))
	}
	return f.err
}

// num visits a number of 8 bytes.
func num[T ~uint64 | ~int64](f *fields, v *T) {
	if !f.reading {
		f.b = le.AppendUint64(f.b, uint64(*v))
	} else if x := f.take(8); x != nil {
		*v = T(le.Uint64(x))
	}
}

// num2 visits two numbers.
func num2[A, B ~uint64](f *fields, a *A, b *B) {
	num(f, a)
	num(f, b)
}

// num3 visits three numbers.
func num3[A, B, C ~uint64](f *fields, a *A, b *B, c *C) {
	num2(f, a, b)
	num(f, c)
}

// num4 visits four numbers.
func num4[A, B, C, D ~uint64](f *fields, a *A, b *B, c *C, d *D) {
	num2(f, a, b)
	num2(f, c, d)
}

// num32 visits a number of 4 bytes.
func (f *fields) num32(v *uint32) {
	if !f.reading {
		f.b = le.AppendUint32(f.b, *v)
	} else if x := f.take(4); x != nil {
		*v = le.Uint32(x)
	}
}

// flag visits a byte that is 0 or 1.
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

// octet visits a number of one byte.
func (f *fields) octet(v *byte) {
	if !f.reading {
		f.b = append(f.b, *v)
	} else if x := f.take(1); x != nil {
		*v = x[0]
	}
}

// fail records an error while decoding, unless there is one already.
func (f *fields) fail(err error) { f.err = cmp.Or(f.err, err) }

// raw visits a fixed number of bytes.
func (f *fields) raw(v []byte) {
	if f.reading {
		copy(v, f.take(len(v)))
	} else {
		f.b = append(f.b, v...)
	}
}

// bytes visits a length of 4 bytes and that many bytes. The decoded slice aliases the message, and
// is nil if empty.
func (f *fields) bytes(v *[]byte) {
	n := length(*v)
	f.num32(&n)
	if !f.reading {
		f.b = append(f.b, *v...)
	} else if x := f.take(int(n)); len(x) > 0 {
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

// list visits a list: the number of items in 4 bytes, then the items of at least size bytes each.
// write appends an item to a slice; read decodes the item at the beginning of a slice and returns
// the bytes after it. A decoded list is nil if empty.
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
		f.err = fmt.Errorf("count is %d, more than fit into %d bytes", n, len(f.b))
	}
	if f.err != nil || n == 0 {
		return
	}
	*v = make([]T, n)
	for i := 0; i < len(*v) && f.err == nil; i++ {
		f.b, f.err = read(f.b, &(*v)[i])
	}
}

// header visits the fields that every message begins with.
func (f *fields) header(h *vsr.Header) {
	f.raw(h.Group[:])
	num(f, &h.Epoch)
	f.raw(h.Incarnation[:])
	num(f, &h.Start)
}

// stamp visits a viewstamp of 24 bytes.
func (f *fields) stamp(s *vsr.Viewstamp) { num3(f, &s.Epoch, &s.View, &s.Op) }

// acknowledgedSize is the size of what one member has acknowledged.
const acknowledgedSize = 32

// acknowledged visits what each member has acknowledged.
func (f *fields) acknowledged(v *[]vsr.Acknowledged) {
	list(f, v, acknowledgedSize, appendAcknowledged, cutAcknowledged)
}

func appendAcknowledged(b []byte, a *vsr.Acknowledged) []byte {
	f := fields{b: b}
	f.stamp(&a.Last)
	num(&f, &a.Start)
	return f.b
}

func cutAcknowledged(b []byte, a *vsr.Acknowledged) ([]byte, error) {
	f := fields{b: b, reading: true}
	f.stamp(&a.Last)
	num(&f, &a.Start)
	return f.b, f.err
}

// reportSize is the size of a report without its text.
const reportSize = 54

// reports visits what the primary reports of each member.
func (f *fields) reports(v *[]vsr.Report) { list(f, v, reportSize, appendReport, cutReport) }

func appendReport(b []byte, r *vsr.Report) []byte {
	f := fields{b: b}
	f.report(r)
	return f.b
}

func cutReport(b []byte, r *vsr.Report) ([]byte, error) {
	f := fields{b: b, reading: true}
	f.report(r)
	return f.b, f.err
}

func (f *fields) report(r *vsr.Report) {
	for _, d := range []*time.Duration{&r.Silent, &r.Unanswered, &r.Late, &r.Stuck} {
		num(f, d)
	}
	f.flag(&r.Relayed)
	num2(f, &r.Match, &r.Applied)
	f.flag(&r.Full)
	f.text(&r.Problem)
}

// reportsSize returns the size of reports.
func reportsSize(all []vsr.Report) (n int) {
	for i := range all {
		n += reportSize + len(all[i].Problem)
	}
	return n
}

// snapshotID visits a snapshot ID of 72 bytes.
func (f *fields) snapshotID(s *vsr.SnapshotID) {
	f.raw(s.Group[:])
	f.stamp(&s.Last)
	f.raw(s.Hash[:])
}

// membership visits a membership as encoded by Membership.Encode, in the format of bytes.
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

// length returns the length of a body in the type that the formats use.
func length(b []byte) uint32 {
	if uint64(len(b)) > math.MaxUint32 {
		panic(fmt.Sprintf("wire: body of %d bytes exceeds the limit of %d: an operation above its limit was accepted", len(b), uint32(math.MaxUint32)))
	}
	return uint32(len(b))
}
