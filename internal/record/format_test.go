package record

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/reading"
	"github.com/smr-go/smr/internal/vsr"
)

// full sets every exported field of v to a value that a replica can give it, other than the zero value.
func full(v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *vsr.Membership:
		*x = vsr.NewMembership([]vsr.Member{{ID: "a", Addr: "a:1"}, {ID: "b", Incarnation: vsr.Incarnation{2}}, {ID: "c"}})
		return
	case *vsr.Entry:
		*x = vsr.Entry{Op: 9, View: 3, Epoch: 1, Time: -5, Session: 4, Request: 2, Floor: 1, Kind: vsr.Command,
			Body: []byte("x")}
		return
	case *vsr.Message:
		*x = &vsr.PrepareOK{View: 3, Op: 9}
		return
	case *error:
		*x = errors.New("why not")
		return
	case *vsr.Detector, **rand.Rand:
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			full(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			full(v.Index(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		full(v.Elem())
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(-2)
	default:
		v.SetUint(200)
	}
}

// again encodes and decodes.
func again[T any](t *testing.T, v T, visit func(*fields, *T)) (decoded T) {
	f := fields{}
	visit(&f, &v)
	g := fields{b: f.b, reading: true}
	visit(&g, &decoded)
	require.NoError(t, g.end())
	return decoded
}

// uncut is again, and checks that no beginning is taken for the whole.
func uncut[T any](t *testing.T, v T, visit func(*fields, *T)) T {
	f := fields{}
	visit(&f, &v)
	for n := range f.b {
		g := fields{b: f.b[:n], reading: true}
		var cut T
		visit(&g, &cut)
		require.Error(t, g.end())
	}
	return again(t, v, visit)
}

// All types of events are recorded, with all their fields.
func TestEventsKeepTheirFields(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../vsr/event.go", nil, 0)
	require.NoError(t, err)
	declared := 0
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "event" {
			declared++
		}
	}
	require.Len(t, eventTypes, declared)
	for _, of := range eventTypes {
		v := reflect.New(of)
		full(v.Elem())
		e := v.Interface().(vsr.Event)
		assert.Equal(t, e, uncut(t, e, (*fields).event))
	}
}

// All kinds of messages are recorded, with all their fields.
func TestMessagesKeepTheirFields(t *testing.T) {
	for k := vsr.KindPrepare; k <= vsr.LastKind; k++ {
		m := k.New()
		full(reflect.ValueOf(m).Elem())
		assert.Equal(t, m, uncut(t, m, (*fields).message))
	}
}

// A field more, less or renamed is another layout.
func TestLayoutIsOfTheFields(t *testing.T) {
	of := func(v any) string {
		var b strings.Builder
		describe(&b, reflect.TypeOf(v))
		return b.String()
	}
	for _, field := range []string{"Save", "Entries", "Session uint64", "Retake bool"} {
		assert.Contains(t, strings.ReplaceAll(of(vsr.Output{}), "\n", " "), field)
	}
	assert.NotContains(t, of(vsr.Config{}), "src", "of another package's types only the names count")
}

// Bytes are nil or empty as they were: a FetchStep without data and one with an empty chunk are not the same.
func TestEmptyBytesAreNotNil(t *testing.T) {
	for _, b := range [][]byte{nil, {}} {
		assert.Equal(t, b, again(t, b, func(f *fields, v *[]byte) { f.visit(v) }))
	}
}

// A value that cannot be encoded does not go unnoticed.
func TestTypesWithoutAnEncodingPanic(t *testing.T) {
	f := fields{}
	assert.PanicsWithValue(t, "record: values of type map[int]int have no encoding",
		func() { f.visit(&struct{ M map[int]int }{}) })
	assert.Panics(t, func() { f.visit(&struct{ unexported int }{}) })
	assert.Panics(t, func() { f.visit(&[2]int{}) })
}

func TestStartKeepsItsFields(t *testing.T) {
	s := start{now: time.Unix(1, 2).UTC()}
	full(reflect.ValueOf(&s.config).Elem())
	full(reflect.ValueOf(&s.disk).Elem())
	s.config.Self, s.config.Heartbeat, s.config.Detector, s.config.Rand = 2, 1, nil, nil
	assert.Equal(t, s, uncut(t, s, (*fields).start))
	empty := start{now: s.now, config: s.config}
	assert.Equal(t, empty, uncut(t, empty, (*fields).start))
}

// turn is what a core returned in a turn, as the digest gets it.
type turn struct {
	Header vsr.Header
	Output vsr.Output
}

// Each field of an output and of its header, and each result of an event, has its part in the digest.
func TestDigestIsOfEverything(t *testing.T) {
	sum := func(o *turn, events ...vsr.Event) uint64 {
		d := newDigest()
		for _, e := range events {
			d.results(e)
		}
		return d.output(o.Header, &o.Output)
	}
	all := func() *turn {
		o := &turn{}
		full(reflect.ValueOf(o).Elem())
		return o
	}
	require.Equal(t, sum(all()), sum(all()))
	seen := map[uint64]string{sum(all()): "nothing"}
	differs := func(what string, x uint64) {
		assert.Empty(t, seen[x], "%s has the same digest", what)
		seen[x] = what
	}
	var clear func(path string, at func(o *turn) reflect.Value)
	clear = func(path string, at func(o *turn) reflect.Value) {
		o := all()
		v := at(o)
		if path != "" && !strings.HasSuffix(path, "]") {
			v.SetZero()
			if v.Type() == reflect.TypeFor[vsr.Message]() {
				v.Set(reflect.ValueOf(&vsr.PrepareOK{View: 3, Op: 8}))
			}
			differs(path, sum(o))
		}
		switch v = at(all()); {
		case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[vsr.Membership]():
			for i := range v.NumField() {
				clear(path+"."+v.Type().Field(i).Name, func(o *turn) reflect.Value { return at(o).Field(i) })
			}
		case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
			clear(path+"[1]", func(o *turn) reflect.Value { return at(o).Index(1) })
		case v.Kind() == reflect.Pointer:
			clear("*"+path, func(o *turn) reflect.Value { return at(o).Elem() })
		}
	}
	clear("", func(o *turn) reflect.Value { return reflect.ValueOf(o).Elem() })
	for _, e := range []vsr.Event{
		&vsr.Propose{Number: 1}, &vsr.Propose{Number: 1, Err: vsr.ErrFull}, &vsr.Read{Number: 9}, &vsr.Handover{Begun: true},
	} {
		differs("a result", sum(all(), e))
	}
}

// Times keep both readings, and the absence of the second.
func TestTimesKeepTheirReadings(t *testing.T) {
	for _, x := range []time.Time{
		{}, time.Unix(1<<40, 0).UTC(), reading.Of(time.Unix(7, 8), -9), time.Now(), time.Unix(0, 0).UTC(),
	} {
		y := uncut(t, x, (*fields).time)
		assert.True(t, x.Equal(y))
		mono, ok := reading.Mono(x)
		mono2, ok2 := reading.Mono(y)
		assert.Equal(t, mono, mono2)
		assert.Equal(t, ok, ok2)
	}
}

func TestNumbersOutOfRange(t *testing.T) {
	var small uint32
	big := uint64(math.MaxUint32 + 1)
	f := fields{}
	f.visit(&big)
	f.reading = true
	f.visit(&small)
	assert.ErrorIs(t, f.end(), errNumber)
	var flag bool
	f = fields{b: []byte{2}, reading: true}
	f.visit(&flag)
	assert.ErrorIs(t, f.end(), errNumber)
	f = fields{b: []byte{1, 1}, reading: true}
	f.visit(&flag)
	assert.ErrorContains(t, f.end(), "1 bytes too many")
	for _, kind := range []byte{0, byte(vsr.LastKind) + 1} {
		var m vsr.Message
		f = fields{b: []byte{kind}, reading: true}
		f.visit(&m)
		assert.ErrorContains(t, f.end(), "message of kind")
	}
}

// An error of the file is returned by Close, and nothing more is written.
func TestWriterReturnsTheFirstError(t *testing.T) {
	var out failing
	w := NewWriter(&out)
	for range 3 {
		w.Stepping(time.Unix(1, 0), &vsr.Tick{})
		w.Readied(time.Unix(1, 0), vsr.Header{}, &vsr.Output{})
	}
	assert.ErrorIs(t, w.Close(), io.ErrClosedPipe)
	assert.Equal(t, 1, out.writes)
}

type failing struct{ writes int }

func (f *failing) Write([]byte) (int, error) {
	f.writes++
	return 0, io.ErrClosedPipe
}

// A recording that cannot be read is not taken for one that has ended.
func TestRecordingThatCannotBeRead(t *testing.T) {
	b := sample(t, time.Second)
	_, err := Replay(io.MultiReader(bytes.NewReader(b), iotest.ErrReader(io.ErrClosedPipe)), Options{})
	assert.ErrorIs(t, err, io.ErrClosedPipe)
}
