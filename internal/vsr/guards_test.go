package vsr

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestGuards delivers every message of the transcripts, with one number off by one in each field
// that says whose or when the message is, to a copy of its receiver. Such a message must change
// nothing, and be answered with no more than a report of the receiver's view. contents and lawful
// list the exceptions.
func TestGuards(t *testing.T) {
	g := guards{tried: map[string]int{}, effective: map[string]int{}, broken: map[string]string{}}
	for _, path := range transcripts(t) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		s := &script{watch: g.try}
		for _, part := range splitTranscript(string(text)) {
			if part.commands {
				s.run(t, part.text)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(g.broken)) {
		if lawful[key] == "" {
			t.Errorf("%s: a message that is off by one has an effect:\n%s", key, g.broken[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(lawful)) {
		assert.NotEmpty(t, g.broken[key], "the exception %q is not needed", key)
	}
	for k := MessageKind(1); k < KindPartOK; k++ { // that one is for the shell
		assert.NotZero(t, g.effective[k.String()], "no %v of the transcripts has an effect", k)
	}
	t.Logf("%d fields that are off by one, up and down", len(g.tried))
}

// contents lists fields that are not guards, though their types look like it: what the message
// tells or asks for, and what its answer repeats.
var contents = map[string]string{
	"Question Header":        "a stranger is recognised by its nonce (S1)",
	"Question Nonce":         "the answer repeats it",
	"Answer Header":          "the answer to a stranger is recognised by its nonce (S1)",
	"Answer Group":           "what is asked",
	"Outdated Start":         "what is told",
	"Outdated Acknowledged":  "what is told",
	"Prepare Prev":           "compared with the log (N3)",
	"Gap Last":               "compared with the log (N3)",
	"Commit Round":           "the answer repeats it",
	"StartViewChange Next":   "which view to enter (V2)",
	"DoViewChange Last":      "which log is best (V5)",
	"GetState Prev":          "compared with the log (V6)",
	"NewState Prev":          "compared with the log (V6)",
	"ReadRound Read":         "the answer repeats it",
	"ReadRound Op":           "what is told (D3)",
	"Request Op":             "what is told (D3)",
	"GetChunk Snapshot":      "compared by the shell with the snapshots that it holds",
	"SnapshotOffer Snapshot": "what is offered",
	"Part Stream":            "compared by the shell with the stream that it receives",
	"Part Number":            "compared by the shell with the stream that it receives",
}

// lawful lists messages that are off by one and have an effect.
var lawful = map[string]string{
	"CommitOK Round-1":        "answers an earlier heartbeat of the view",
	"Prepare Header.Start-1":  "brings op 1 to a member that belongs to no group (S2)",
	"NewState Header.Start-1": "brings op 1 to a member that belongs to no group (S2)",
	"NewState View+1":         "brings op 1 to a member that belongs to no group (S2)",
	"NewState Best.Epoch-1":   "brings op 1, of which Best says nothing (S2)",
	"NewState Best.Epoch+1":   "brings op 1, of which Best says nothing (S2)",
	"NewState Best.View+1":    "brings op 1, of which Best says nothing (S2)",
	"ReadRoundOK View-1":      "is recognised by the number of the inquiry, which its process uses once (R1)",
	"ReadRoundOK View+1":      "is recognised by the number of the inquiry, which its process uses once (R1)",
	"Reply Attempt-1":         "answers an earlier attempt",
	"Reply View-1":            "is recognised by start and attempt (X4)",
	"Reply View+1":            "is recognised by start and attempt (X4)",
	"Request Attempt-1":       "is another attempt (X4)",
	"Request Attempt+1":       "is another attempt (X4)",
	"StartViewChange View+1":  "leads to that view (V4), and a full disk takes back what it had no space for (F13)",
	"Request View-1":          "is rejected for good, since its view is over (X4)",
}

// guards tries messages that are off by one.
type guards struct {
	tried     map[string]int    // by kind, field and direction
	effective map[string]int    // by kind: messages that have an effect as they are
	broken    map[string]string // by kind, field and direction: the first message with an effect
}

// enoughTries is how often each kind, field and direction is tried.
const enoughTries = 100

func (g *guards) try(h *host, m *sent) {
	seen := h.core.startSeen[m.from]
	h.core.startSeen[m.from] = max(seen, m.header.Start) // a lower one is late
	defer func() { h.core.startSeen[m.from] = seen }()
	if m, ok := m.message.(*Relay); ok && m.To != h.index {
		return // whose message it is shows where it arrives
	}
	idle := afterTurn(h, nil)
	whole := afterTurn(h, m)
	if whole.equal(idle) || !slices.Equal(whole.r.memories.lost, idle.r.memories.lost) {
		return // what proves a loss does so in any view (S6)
	}
	g.effective[KindOf(m.message).String()]++
	timely := reflect.ValueOf(m.message).Elem().FieldByName("View")
	for key, x := range offByOne(m) {
		if strings.Contains(key, " View") && timely.Interface() != h.core.head.View {
			continue // off by one it would be of the right view
		}
		if g.tried[key]++; g.tried[key] > enoughTries || g.broken[key] != "" {
			continue
		}
		if got := afterTurn(h, x); !got.equal(idle) && !got.learnt(idle) && !got.told(idle) {
			g.broken[key] = fmt.Sprintf("%s, in view %d, receives %v from %s: %+v, instead of %+v", h.id,
				h.core.head.View, KindOf(x.message), memberNames[m.from:m.from+1], x.message, m.message)
		}
	}
}

// aftermath is what a replica is and does after a turn.
type aftermath struct {
	r    *Replica
	out  Output     // without messages
	sent []Outgoing // or deferred
}

// afterTurn ends a turn of a copy of the receiver, in which a message arrives if it is not nil. It
// leaves out that somebody was heard, and which acknowledgements are known: they are true in any
// view (S6).
func afterTurn(h *host, m *sent) aftermath {
	r, d := h.core.cloned(), *h.detector
	r.cfg.Detector, r.cfg.Rand = &d, rand.New(rand.NewPCG(1, 2))
	if m != nil {
		r.Step(r.now, &Receive{From: m.from, Header: m.header, Message: m.message})
	}
	x := aftermath{r: r, out: r.Ready(r.now)}
	x.sent = x.out.Messages
	for _, deferred := range r.saves.deferred {
		x.sent = append(x.sent, deferred.out)
	}
	x.out.Messages, r.saves.deferred = nil, nil
	clear(r.heardAt)
	clear(r.relays.directAt)
	r.relays.answersSince = time.Time{}
	r.relays.deaf = false
	r.memories.acknowledged, r.memories.shared = nil, false
	return x
}

// state returns a text of everything but messages.
func (x aftermath) state() string {
	return identity(x.r) + identity(*x.r.cfg.Detector.(*fixedTrust)) + identity(x.out)
}

func (x aftermath) equal(y aftermath) bool {
	return identity(x.sent) == identity(y.sent) && x.state() == y.state()
}

// learnt reports whether the message did no more than to tell the replica of a later view.
func (x aftermath) learnt(idle aftermath) bool {
	if x.r.head.View <= idle.r.head.View || x.r.log.last != idle.r.log.last || x.r.commit != idle.r.commit {
		return false
	}
	for _, m := range x.sent {
		switch m.Message.(type) {
		case *StartViewChange, *DoViewChange, *Request, *ReadRound:
		default:
			return false
		}
	}
	return len(x.out.Apply)+len(x.out.Settled)+len(x.out.Reads)+len(x.out.Fetch)+len(x.out.Chunks) == 0
}

// told reports whether the message did no more than to make the replica tell its view, or the
// latest start of the sender.
func (x aftermath) told(idle aftermath) bool {
	x.sent = slices.DeleteFunc(slices.Clone(x.sent), func(m Outgoing) bool {
		switch m := m.Message.(type) {
		case *Outdated:
			return true
		case *Gap:
			return m.View == x.r.head.View && m.Last == Viewstamp{}
		case *StartViewChange:
			return m.View == x.r.head.View-1
		case *Reply:
			return !m.Overloaded
		}
		return false
	})
	return x.equal(idle)
}

// offByOne returns copies of a message in which one field is changed, by kind, field and direction.
func offByOne(m *sent) map[string]*sent {
	variants, kind := map[string]*sent{}, KindOf(m.message).String()
	for _, by := range []int{-1, 1} {
		for _, path := range identifying(reflect.TypeOf(m.header)) {
			x := *m
			if contents[kind+" Header"] == "" && !ofLaterStart(path, by) && change(reflect.ValueOf(&x.header).Elem(), path, by) {
				variants[fmt.Sprintf("%v Header.%s%+d", kind, path, by)] = &x
			}
		}
		for _, path := range identifying(reflect.TypeOf(m.message).Elem()) {
			x := *m
			body := reflect.New(reflect.TypeOf(m.message).Elem())
			body.Elem().Set(reflect.ValueOf(m.message).Elem())
			first, _, _ := strings.Cut(path, ".")
			if contents[kind+" "+first] == "" && !ofLaterStart("Header."+path, by) && change(body.Elem(), path, by) {
				x.message = body.Interface().(Message)
				variants[fmt.Sprintf("%v %s%+d", kind, path, by)] = &x
			}
		}
	}
	return variants
}

// ofLaterStart reports whether the change makes a header one of a later start, which is believed (S6).
func ofLaterStart(path string, by int) bool {
	return by > 0 && (path == "Start" || path == "Header.Sender.Start")
}

// identifies lists the types of fields that say whose or when a message is. Of plain numbers the
// names tell.
var identifies = []reflect.Type{reflect.TypeFor[View](), reflect.TypeFor[Epoch](), reflect.TypeFor[Round](),
	reflect.TypeFor[Incarnation](), reflect.TypeFor[GroupID](), reflect.TypeFor[[32]byte]()}

// identifying returns the paths of the fields that say whose or when a message is.
func identifying(t reflect.Type) (paths []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		number := slices.Contains([]string{"Nonce", "Start", "Attempt", "Read"}, f.Name)
		switch {
		case number || slices.Contains(identifies, f.Type):
			paths = append(paths, f.Name)
		case f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[Membership]():
			for _, p := range identifying(f.Type) {
				paths = append(paths, f.Name+"."+p)
			}
		}
	}
	return paths
}

// change changes the field with that path by one. It reports false if the field cannot be lower.
func change(v reflect.Value, path string, by int) bool {
	for name := range strings.SplitSeq(path, ".") {
		v = v.FieldByName(name)
	}
	if v.Kind() == reflect.Array {
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v = v.Index(v.Len() - 1)
		}
		v.SetUint(uint64(uint8(int(v.Uint()) + by)))
		return true
	}
	if by < 0 && v.Uint() == 0 {
		return false
	}
	v.SetUint(v.Uint() + uint64(by))
	return true
}
