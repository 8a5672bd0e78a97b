package record

import (
	"crypto/sha256"
	"fmt"
	"io"
	"reflect"
	"sync"

	"github.com/smr-go/smr/internal/vsr"
)

// layout returns the first 8 bytes of the SHA-256 hash of the names and types of all fields that a recording holds or
// its digests include. A recording of a core with other fields has another layout, and is refused.
var layout = sync.OnceValue(func() []byte {
	h := sha256.New()
	for _, t := range append([]reflect.Type{
		reflect.TypeFor[vsr.Config](), reflect.TypeFor[vsr.Durable](), reflect.TypeFor[vsr.Header](), reflect.TypeFor[vsr.Output](),
	}, eventTypes...) {
		describe(h, t)
	}
	for k := vsr.KindPrepare; k <= vsr.LastKind; k++ {
		describe(h, reflect.TypeOf(k.New()))
	}
	return h.Sum(nil)[:8]
})

// describe writes the name of a type and, if the core declares it, the names of its fields.
func describe(w io.Writer, t reflect.Type) {
	fmt.Fprintln(w, t, t.Kind())
	switch t.Kind() {
	case reflect.Slice, reflect.Pointer:
		describe(w, t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if t.PkgPath() == reflect.TypeFor[vsr.Config]().PkgPath() {
				fmt.Fprintln(w, t.Field(i).Name)
				describe(w, t.Field(i).Type)
			}
		}
	}
}
