package smr

import (
	"fmt"
	"reflect"
	"sync"
)

// owners holds the StateMachine and Detector values of the replicas of this process, with the ID of the replica. Two
// replicas that share one would apply each operation to it twice, at the same time.
var owners sync.Map

// own makes this replica the owner of its StateMachine and its Detector until disown. It returns an error if another
// replica of this process owns one of them.
func (r *Replica) own() error {
	for i, value := range r.belongings() {
		if !owned(value) {
			continue
		}
		if other, taken := owners.LoadOrStore(value, r); taken {
			return fmt.Errorf("smr: Config.%s is in use by replica %q, which runs in this process; give each replica a value of its own",
				[]string{"StateMachine", "Detector"}[i], other.(*Replica).cfg.ID)
		}
	}
	return nil
}

func (r *Replica) belongings() []any { return []any{r.cfg.StateMachine, r.cfg.Detector} }

// disown ends what own has begun, also if that failed.
func (r *Replica) disown() {
	for _, value := range r.belongings() {
		if owned(value) {
			owners.CompareAndDelete(value, r)
		}
	}
}

// owned reports whether equal values share their state: pointers do, unless they point to nothing.
func owned(value any) bool {
	v := reflect.ValueOf(value)
	return v.Kind() == reflect.Pointer && v.Type().Elem().Size() > 0
}
