package vsr

import (
	"encoding/binary"
	"reflect"
	"time"
)

// identity returns a text of everything in a value, including pointers and private fields: two
// texts are equal exactly if the values are. Of a replica it omits the configuration.
func identity(v any) string {
	return string(appendIdentity(nil, reflect.ValueOf(v)))
}

var (
	timeType   = reflect.TypeFor[time.Time]()
	configType = reflect.TypeFor[Config]()
)

func appendIdentity(b []byte, v reflect.Value) []byte {
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			return append(b, 1)
		}
		return append(b, 0)
	case reflect.Int, reflect.Int64:
		return binary.AppendVarint(b, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint32, reflect.Uint64:
		return binary.AppendUvarint(b, v.Uint())
	case reflect.String:
		return appendString(b, v.String())
	case reflect.Slice, reflect.Array:
		b = binary.AppendUvarint(b, uint64(v.Len()))
		for i := range v.Len() {
			b = appendIdentity(b, v.Index(i))
		}
		return b
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return append(b, 0)
		}
		if v.Kind() == reflect.Interface {
			return appendIdentity(appendString(b, v.Elem().Type().String()), v.Elem())
		}
		return appendIdentity(append(b, 1), v.Elem())
	case reflect.Struct:
		return appendStruct(b, v)
	}
	panic("a " + v.Type().String())
}

func appendStruct(b []byte, v reflect.Value) []byte {
	switch v.Type() {
	case configType:
		return b
	case timeType: // wall and ext; the location does not matter
		return binary.AppendVarint(binary.AppendUvarint(b, v.Field(0).Uint()), v.Field(1).Int())
	}
	for i := range v.NumField() {
		b = appendIdentity(b, v.Field(i))
	}
	return b
}
