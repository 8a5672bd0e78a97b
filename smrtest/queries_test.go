package smrtest

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/smrtest/internal/suite"
)

// shelf holds names, and counts them in a cache, with a mistake.
type shelf struct {
	names []string
	count int // a cache: len(names)
	bug   string
}

func (s *shelf) Apply(op smr.Op) []byte {
	s.names = append(s.names, string(op.Body))
	if s.bug != "stale" || len(s.names)%5 > 0 {
		s.count = len(s.names)
	}
	return nil
}

func (s *shelf) Snapshot() (io.WriterTo, error) {
	return namesSnapshot{slices.Clone(s.names)}, nil
}

func (s *shelf) Restore(r io.Reader) error {
	s.names = nil
	err := json.NewDecoder(r).Decode(&s.names)
	if s.bug != "forgotten by Restore" {
		s.count = len(s.names)
	}
	return err
}

type namesSnapshot struct{ names []string }

func (n namesSnapshot) WriteTo(w io.Writer) (int64, error) {
	b, err := json.Marshal(n.names)
	if err != nil {
		return 0, err
	}
	written, err := w.Write(b)
	return int64(written), err
}

func (namesSnapshot) Close() error { return nil }

func shelves(bug string) func() smr.StateMachine {
	return func() smr.StateMachine { return &shelf{bug: bug} }
}

// countNames reads the cache.
var countNames = Query("count", nothing, func(s *shelf, _ struct{}) int { return s.count })

// A cache that is wrong shows in queries only. No model knows the answers: machines with the same history are compared.
// A mistake that all machines make alike, as the stale one does, shows once one of them was restored.
func TestQueriesAreCompared(t *testing.T) {
	ops := blindOps()
	for _, bug := range []string{"stale", "forgotten by Restore"} {
		t.Run(bug, func(t *testing.T) {
			m := machinesOf(t, shelves(bug), ops, countNames)
			err := m.find(1)
			require.ErrorContains(t, err, `query "count`)
			require.ErrorContains(t, err, "one restored from a snapshot answers")

			report := exploring(t, Config[*shelf]{
				New:      func() *shelf { return &shelf{bug: bug} },
				Workload: []Operation{Command("add", func(r *rand.Rand) []byte { return ops[r.IntN(len(ops))] }), countNames},
				Runs:     20,
			})
			assert.Contains(t, report, "broken rule: machines in one state answer a query alike")
			assert.Contains(t, report, `query "count`)
		})
	}
}

// Right caches pass, and so do answers that vary by themselves.
func TestQueriesThatVary(t *testing.T) {
	anyOrder := Query("names", nothing, func(s *shelf, _ struct{}) (all []string) {
		unique := map[string]bool{}
		for _, name := range s.names {
			unique[name] = true
		}
		for name := range unique {
			all = append(all, name)
		}
		return all
	})
	m := machinesOf(t, shelves(""), blindOps(), countNames, anyOrder)
	require.NoError(t, m.find(1))
}

func TestQueriesOfTheSuiteAreChecked(t *testing.T) {
	require.NoError(t, checkQueries([]Operation{countNames}, &shelf{}))
	require.ErrorContains(t, checkQueries([]Operation{countNames}, newLedger("")()), "reads a *smrtest.shelf")
	require.ErrorContains(t, checkQueries([]Operation{Command("add", nil)}, &shelf{}), "body is nil")
	add := Command("add", func(*rand.Rand) []byte { return []byte("x") })
	require.ErrorContains(t, checkQueries([]Operation{add}, &shelf{}), "commands in ops")
	require.ErrorContains(t, checkQueries([]Operation{{}}, &shelf{}), "zero Operation")
}

// A query that changes the state is found as such, in the snapshot or in the results that follow, and no other rule is
// blamed for it.
func TestQueriesThatChangeTheState(t *testing.T) {
	for bug, want := range map[string]string{
		"query changes": `op 3 (ops[0] = "put a text 0"): query "ask y" after op 3 changed the state: snapshots of 1 and 1 bytes: "1" and "2"`,
		"query changes results": `op 4 (ops[1] = "put b text 1"): it returned "" on a machine that answers no queries, ` +
			`and "seen" on one that does`,
		"query changes at times": `op 5 (ops[2] = "put c text 2"): query "ask y" after op 5 changed the state: `,
	} {
		t.Run(bug, func(t *testing.T) {
			ask := Query("ask", func(*rand.Rand) string { return "y" }, (*hoard).ask)
			new := func() smr.StateMachine { return hoards(bug)() }
			rules := machineRules
			if testing.Short() {
				exact := []string{contract.Deterministic.Name, contract.Restores.Name, contract.Frozen.Name,
					contract.PureQuery.Name, contract.SameQueries.Name}
				rules = slices.DeleteFunc(slices.Clone(rules), func(r suite.Rule[machines]) bool {
					return !slices.Contains(exact, r.Name)
				})
			}
			broken := verdicts(t, rules, machinesOf(t, new, slices.Repeat(blindOps(), 3), ask))
			require.ErrorContains(t, broken[contract.PureQuery.Name], want)
			assert.Len(t, broken, 1)
		})
	}
}

// Runs that do not compare the whole state after each operation find it at the query, too.
func TestExploreBlamesTheQuery(t *testing.T) {
	x, err := (&Config[*hoard]{New: hoards("query changes"), Workload: []Operation{
		Command("add", func(*rand.Rand) []byte { return []byte("x") }),
		Query("ask", func(*rand.Rand) string { return "y" }, (*hoard).ask),
	}, Virtual: time.Second}).trial("TestHoard")
	require.NoError(t, err)
	for seed := range uint64(10) {
		r := x.run(t, x.chance(seed, false))
		require.NotNil(t, r.Violation, "seed %d", seed)
		require.Equal(t, contract.PureQuery.Name, r.Violation.Rule, "seed %d: %v", seed, r.Violation)
	}
}
