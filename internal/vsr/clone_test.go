package vsr

import (
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// cloned returns a replica that continues from this one's state, independently of it. Call it
// between two turns. The two share the source of randomness and the detector.
func (r *Replica) cloned() *Replica {
	c := *r
	unshare(reflect.ValueOf(&c).Elem())
	return &c
}

// constant lists the types whose values never change once they are made, and so may be shared.
var constant = map[reflect.Type]bool{
	reflect.TypeFor[Config]():     true,
	reflect.TypeFor[Membership](): true,
	reflect.TypeFor[Entry]():      true,
	reflect.TypeFor[Index]():      true, // lists of receivers
	reflect.TypeFor[Outgoing]():   true,
}

// changes reports whether a copy of a value of that type shares mutable memory with it.
func changes(t reflect.Type) bool {
	known, ok := changing[t]
	if !ok {
		known = findChanges(t)
		changing[t] = known
	}
	return known
}

var changing = map[reflect.Type]bool{}

func findChanges(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		if constant[t] || t == timeType {
			return false
		}
		for i := range t.NumField() {
			if changes(t.Field(i).Type) {
				return true
			}
		}
	case reflect.Slice:
		return t.Elem().Kind() != reflect.Uint8 // bytes are never changed
	case reflect.Pointer:
		return !isMessage(t) && !constant[t.Elem()]
	case reflect.Map, reflect.Chan, reflect.Func:
		panic("the core holds a " + t.String())
	}
	return false
}

func isMessage(t reflect.Type) bool { return t.Implements(reflect.TypeFor[Message]()) }

// unshare gives v, which is a copy, its own copy of all mutable memory.
func unshare(v reflect.Value) {
	t := v.Type()
	if !changes(t) {
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if f := v.Field(i); changes(f.Type()) {
				unshare(reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem())
			}
		}
	case reflect.Slice:
		if v.IsNil() {
			return
		}
		c := reflect.MakeSlice(t, v.Len(), v.Len())
		reflect.Copy(c, v)
		for i := range c.Len() {
			unshare(c.Index(i))
		}
		v.Set(c)
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		c := reflect.New(t.Elem())
		c.Elem().Set(v.Elem())
		unshare(c.Elem())
		v.Set(c)
	}
}

// TestClonesGoTheirOwnWay replaces the replicas by clones after every step of random walks, and
// compares the replicas left behind with their earlier state.
func TestClonesGoTheirOwnWay(t *testing.T) {
	for seed := range uint64(10) {
		with, without := newWalk(seed), newWalk(seed)
		without.run(150)
		for range 150 {
			left := map[*Replica]string{}
			for _, h := range with.g.hosts {
				if h.core != nil {
					left[h.core] = identity(h.core)
					h.core = h.core.cloned()
					require.Equal(t, left[h.core], "", "a clone is another replica")
				}
			}
			with.run(1)
			for r, was := range left {
				require.Equal(t, was, identity(r), "seed %d", seed)
			}
		}
		require.Equal(t, without.steps, with.steps, "seed %d", seed)
	}
}

// TestClonesShareNothing checks that a clone shares only constants with the original.
func TestClonesShareNothing(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(40) {
		w := newWalk(seed)
		w.run(300)
		for _, h := range w.g.hosts {
			if h.core != nil {
				requireApart(t, reflect.ValueOf(h.core).Elem(), reflect.ValueOf(h.core.cloned()).Elem(), "", seen)
			}
		}
	}
	for _, path := range strings.Fields(".log.tail.chunks .log.runs .saves.issued .saves.deferred .primary.progress .viewChange.votes .viewChange.logs .requests.waiting .startSeen") {
		require.True(t, seen[path], "%s was empty in all walks", path)
	}
}

func requireApart(t *testing.T, a, b reflect.Value, path string, seen map[string]bool) {
	if constant[a.Type()] || a.Type() == timeType {
		return
	}
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			requireApart(t, a.Field(i), b.Field(i), path+"."+a.Type().Field(i).Name, seen)
		}
	case reflect.Slice:
		require.Equal(t, a.Len(), b.Len(), path)
		if a.Len() == 0 || a.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		seen[path] = true
		require.NotEqual(t, a.Pointer(), b.Pointer(), path)
		for i := range a.Len() {
			requireApart(t, a.Index(i), b.Index(i), path, seen)
		}
	case reflect.Pointer:
		require.Equal(t, a.IsNil(), b.IsNil(), path)
		if a.IsNil() || isMessage(a.Type()) || constant[a.Type().Elem()] {
			return
		}
		seen[path] = true
		require.NotEqual(t, a.Pointer(), b.Pointer(), path)
		requireApart(t, a.Elem(), b.Elem(), path, seen)
	}
}
