package smrtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/smrtest/internal/suite"
)

// plantedBug is a state machine with a mistake that users make, and operations that reach it.
type plantedBug struct {
	name string
	new  func() smr.StateMachine
	ops  [][]byte
	at   string // the operation at which machines part; once among ops
	rule string // the first one of TestStateMachine that it breaks
}

// plantedBugs are the ten. Most spoil the state, not a result: that comes later, if at all.
func plantedBugs() (bugs []plantedBug) {
	for _, b := range []plantedBug{
		{name: "map order", at: "close one", rule: "Apply is deterministic"},
		{name: "time.Now", at: "open ann", rule: "Apply is deterministic"},
		{name: "random", at: "draw", rule: "Apply is deterministic"},
		{name: "kept buffer", at: "memo ann likes tea", rule: "Apply neither keeps nor changes op.Body"},
		{name: "shared slice in a snapshot", at: "shout ann", rule: "WriteTo writes the state as Snapshot found it"},
		{name: "snapshot that is not frozen", at: "open ann", rule: "WriteTo writes the state as Snapshot found it"},
		{name: "forgotten field in Restore", at: "pay ann 0.1", rule: "Restore brings the whole state back"},
		{name: "result from a field that is not state", at: "how many", rule: "Restore brings the whole state back"},
		{name: "panic on one op", at: "share 0", rule: "a state machine does not panic"},
		{name: "float summed in map order", at: "total", rule: "Apply is deterministic"},
	} {
		b.new = newLedger(b.name)
		b.ops = ledgerOps()
		bugs = append(bugs, b)
	}
	return bugs
}

// Each mistake is found, and told with the operation at which it is made.
func TestStateMachineFindsTheTen(t *testing.T) {
	bugs := plantedBugs()
	require.Len(t, bugs, 10)
	for _, b := range bugs {
		t.Run(b.name, func(t *testing.T) {
			require.Contains(t, b.ops, []byte(b.at))
			broken := verdicts(t, machineRules, machinesOf(t, b.new, b.ops))
			first := slices.IndexFunc(machineRules, func(r suite.Rule[machines]) bool { return broken[r.Name] != nil })
			require.NotEqual(t, -1, first, "not found")
			require.Equal(t, b.rule, machineRules[first].Name)
			assert.ErrorContains(t, broken[b.rule], fmt.Sprintf("= %q)", b.at))
		})
	}
}

// Without a mistake the same machine passes.
func TestStateMachineOnTheLedger(t *testing.T) { TestStateMachine(t, newLedger(""), ledgerOps()) }

// ledger keeps accounts.
type ledger struct {
	bug   string
	books books
	asked int // how often it was asked: not part of the state
}

// books are the state of a ledger.
type books struct {
	Balance map[string]float64
	Opened  map[string]time.Time
	Memo    map[string][]byte
	Payer   string // the last one
	Total   float64
	Winner  string
}

func newLedger(bug string) func() smr.StateMachine {
	return func() smr.StateMachine {
		return &ledger{bug: bug, books: books{Balance: map[string]float64{}, Opened: map[string]time.Time{}, Memo: map[string][]byte{}}}
	}
}

func ledgerOps() (ops [][]byte) {
	for op := range strings.SplitSeq("open ann|open bob|open cem|memo ann likes tea|memo bob likes coffee|pay ann 0.1|pay bob 1e16|pay cem -1e16|pay dora 0.7|"+
		"share 3|how many|shout ann|draw|total|close one|memo cem is new|pay eve 5|share 0|payer|winner", "|") {
		ops = append(ops, []byte(op))
	}
	return ops
}

func (l *ledger) Apply(op smr.Op) []byte {
	l.asked++
	words := strings.SplitN(string(op.Body), " ", 3)
	name, rest := append(words, "", "")[1], append(words, "", "")[2]
	switch words[0] {
	case "open":
		l.books.Opened[name] = l.now(op)
	case "pay":
		amount, _ := strconv.ParseFloat(rest, 64)
		l.books.Balance[name] += amount
		l.books.Payer = name
	case "memo":
		l.memo(op, name, rest)
	case "shout": // in place
		copy(l.books.Memo[name], bytes.ToUpper(l.books.Memo[name]))
	case "payer":
		return []byte(l.books.Payer)
	case "winner":
		return []byte(l.books.Winner)
	case "total":
		l.books.Total = l.total()
	case "draw":
		l.books.Winner = strconv.FormatUint(l.lot(op), 10)
	case "close":
		l.closeOne()
	case "share":
		return l.share(name)
	case "how":
		return l.howMany()
	}
	return nil
}

func (l *ledger) now(op smr.Op) time.Time {
	if l.bug == "time.Now" {
		return time.Now()
	}
	return op.Time
}

func (l *ledger) memo(op smr.Op, name, text string) {
	memo := []byte(text)
	if l.bug == "kept buffer" {
		memo = op.Body[len(op.Body)-len(text):]
	}
	l.books.Memo[name] = memo
}

func (l *ledger) lot(op smr.Op) uint64 {
	if l.bug == "random" {
		return rand.Uint64()
	}
	return op.Number * 48_271 % 1_000
}

// names are those with a balance, in the order in which they are to be visited.
func (l *ledger) names(bug string) []string {
	names := slices.Collect(maps.Keys(l.books.Balance))
	if l.bug != bug {
		slices.Sort(names)
	}
	return names
}

func (l *ledger) total() (sum float64) {
	for _, name := range l.names("float summed in map order") {
		sum += l.books.Balance[name]
	}
	return sum
}

func (l *ledger) closeOne() {
	if names := l.names("map order"); len(names) > 0 {
		delete(l.books.Balance, names[0])
	}
}

// share divides the accounts among so many.
func (l *ledger) share(among string) []byte {
	n, _ := strconv.Atoi(among)
	if n == 0 && l.bug != "panic on one op" {
		return []byte("nobody to share")
	}
	return strconv.AppendInt(nil, int64(len(l.books.Opened)/n), 10)
}

func (l *ledger) howMany() []byte {
	if l.bug == "result from a field that is not state" {
		return strconv.AppendInt(nil, int64(l.asked), 10)
	}
	return strconv.AppendInt(nil, int64(len(l.books.Balance)), 10)
}

func (l *ledger) Snapshot() (io.WriterTo, error) {
	frozen := l.books
	frozen.Balance, frozen.Opened, frozen.Memo = maps.Clone(frozen.Balance), maps.Clone(frozen.Opened), maps.Clone(frozen.Memo)
	if l.bug != "shared slice in a snapshot" {
		for name, memo := range frozen.Memo {
			frozen.Memo[name] = bytes.Clone(memo)
		}
	}
	if l.bug == "snapshot that is not frozen" {
		return &l.books, nil
	}
	return &frozen, nil
}

func (b *books) WriteTo(w io.Writer) (int64, error) { return 0, json.NewEncoder(w).Encode(b) }

func (l *ledger) Restore(r io.Reader) error {
	var restored books
	if err := json.NewDecoder(r).Decode(&restored); err != nil {
		return err
	}
	if l.bug == "forgotten field in Restore" {
		restored.Payer = l.books.Payer
	}
	l.books = restored
	return nil
}
