package conform

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr"
)

// Three replicas go on over transports that lose, repeat, delay and reorder, and through cuts of
// one direction: every operation takes effect once, and all histories agree.
func TestShakenGroup(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := startShaken(t, seed)
				g.propose("a", "b", "c")
				for _, s := range g.shaken {
					s.Disturb(Disturbance{Lose: 0.1, Repeat: 0.1, MinDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond})
				}
				g.propose("a", "b", "c", "a", "b", "c")
				g.unheard(g.primary())
				g.deaf(g.primary())
				g.agree()
			})
		})
	}
}

// shakenGroup is three replicas in one process.
type shakenGroup struct {
	t        *testing.T
	replicas map[smr.ID]*smr.Replica
	shaken   map[smr.ID]*Shaken
	diaries  map[smr.ID]*diary
	proposed []string
}

var shakenIDs = []smr.ID{"a", "b", "c"}

func startShaken(t *testing.T, seed uint64) *shakenGroup {
	g := &shakenGroup{t: t, replicas: map[smr.ID]*smr.Replica{}, shaken: map[smr.ID]*Shaken{}, diaries: map[smr.ID]*diary{}}
	network := smr.NewNetwork()
	for _, id := range shakenIDs {
		g.shaken[id], g.diaries[id] = Shake(network.Transport(id), seed), &diary{}
		r, err := smr.Start(smr.Config{ID: id, Members: []smr.Member{{ID: "a"}, {ID: "b"}, {ID: "c"}}, StateMachine: g.diaries[id],
			Transport: g.shaken[id], Volatile: true, Logger: hclog.NewNullLogger()})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, r.Close()) })
		g.replicas[id] = r
	}
	return g
}

// propose proposes one operation at each of these replicas, in turn.
func (g *shakenGroup) propose(at ...smr.ID) {
	g.t.Helper()
	for _, id := range at {
		body := fmt.Sprintf("op %d at %s", len(g.proposed), id)
		g.proposed = append(g.proposed, body)
		ctx, cancel := context.WithTimeout(g.t.Context(), time.Minute)
		_, err := g.replicas[id].Propose(ctx, []byte(body))
		cancel()
		require.NoError(g.t, err, body)
	}
}

// primary returns the primary that all know.
func (g *shakenGroup) primary() (p smr.ID) {
	g.t.Helper()
	g.wait("a primary that all know", func() bool {
		p = g.replicas["a"].Status().Primary
		return p != "" && p == g.replicas["b"].Status().Primary && p == g.replicas["c"].Status().Primary
	})
	return p
}

func (g *shakenGroup) wait(what string, until func() bool) {
	g.t.Helper()
	for range 600 {
		if until() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	g.t.Fatalf("after a minute: no %s", what)
}

func others(id smr.ID) []smr.ID {
	return slices.DeleteFunc(slices.Clone(shakenIDs), func(other smr.ID) bool { return other == id })
}

// unheard cuts the links from the primary: the others hear it no more, and go on without it.
func (g *shakenGroup) unheard(p smr.ID) {
	g.t.Helper()
	g.shaken[p].CutTo(others(p)...)
	g.propose(others(p)...)
	require.NotEqual(g.t, p, g.replicas[others(p)[0]].Status().Primary)
	g.shaken[p].Heal()
	g.propose(p)
}

// deaf cuts the links to the primary: it does not hear the others, and they go on without it too.
func (g *shakenGroup) deaf(p smr.ID) {
	g.t.Helper()
	g.shaken[p].CutFrom(others(p)...)
	g.propose(others(p)...)
	require.NotEqual(g.t, p, g.replicas[others(p)[0]].Status().Primary)
	g.shaken[p].Heal(others(p)...)
	g.propose(p)
}

func (g *shakenGroup) agree() {
	g.t.Helper()
	for _, s := range g.shaken {
		s.Disturb(Disturbance{})
	}
	g.wait("agreement of all histories", func() bool {
		for _, d := range g.diaries {
			if !slices.Equal(d.read(), g.proposed) {
				return false
			}
		}
		return true
	})
}
