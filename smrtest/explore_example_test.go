package smrtest_test

import (
	"encoding/json"
	"io"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest"
)

// KV is the state machine to be tested: keys and values. A command is "put KEY VALUE" or "cas KEY
// OLD NEW"; its result is "ok" or "no".
type KV struct{ values map[string]string }

func NewKV() *KV { return &KV{map[string]string{}} }

func (s *KV) Apply(op smr.Op) []byte {
	c := strings.Fields(string(op.Body))
	if c[0] == "cas" && s.values[c[1]] != c[2] {
		return []byte("no")
	}
	s.values[c[1]] = c[len(c)-1]
	return []byte("ok")
}

func (s *KV) Get(key string) string { return s.values[key] }

func (s *KV) Snapshot() (io.WriterTo, error) { return frozenKV(maps.Clone(s.values)), nil }

type frozenKV map[string]string

func (f frozenKV) WriteTo(w io.Writer) (int64, error) { return 0, json.NewEncoder(w).Encode(f) }

func (s *KV) Restore(r io.Reader) error {
	s.values = nil
	return json.NewDecoder(r).Decode(&s.values)
}

// What callers do.
var (
	put = smrtest.Command("put", func(r *rand.Rand) []byte { return []byte("put " + key(r) + " " + value(r)) })
	cas = smrtest.Command("cas", func(r *rand.Rand) []byte { return []byte("cas " + key(r) + " " + value(r) + " " + value(r)) })
	get = smrtest.Query("get", key, (*KV).Get)
)

func key(r *rand.Rand) string   { return string(rune('a' + r.IntN(5))) }
func value(r *rand.Rand) string { return strconv.Itoa(r.IntN(4)) }

// kvModel is what each key does: it holds the last value. The input of a get is its key, that of a
// command its body.
var kvModel = porcupine.Model{
	Partition: smrtest.PartitionBy(func(input any) string {
		if command, ok := input.([]byte); ok {
			return strings.Fields(string(command))[1]
		}
		return input.(string)
	}),
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		command, ok := input.([]byte)
		if !ok {
			return output == state, state
		}
		c, result := strings.Fields(string(command)), string(output.([]byte))
		if c[0] == "cas" && state != c[2] {
			return result == "no", state
		}
		return result == "ok", c[len(c)-1]
	},
}

// Twenty runs of groups of KV, under every fault, and answers that the model allows.
func testKV(t *testing.T) {
	smrtest.Explore(t, smrtest.Config[*KV]{
		New:      NewKV,
		Workload: []smrtest.Operation{put, get, cas},
		Model:    kvModel,
		Runs:     20,
	})
}

// A store of keys and values is explored: replicas of it crash, lose messages and have bad disks, and
// what callers see must be what the model allows. In a package of your own the test is called TestKV.
func ExampleExplore() { _ = testKV }
