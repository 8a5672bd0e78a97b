package vsr

import (
	"fmt"
	"reflect"
	"strings"
)

// The text of transcripts.

// timeless returns a problem without the times in it.
func timeless(problem string) string {
	before, after, found := strings.Cut(problem, " since ")
	if !found {
		return problem
	}
	return before + timeless(after[min(len(after), len("2006-01-02T15:04:05Z")):])
}

// stampText returns op@view.
func stampText(v Viewstamp) string { return fmt.Sprintf("%d@%d", v.Op, v.View) }

func entryText(e *Entry) string {
	text := stampText(e.Stamp())
	switch e.Kind {
	case Opening:
		return text + " opening"
	case Formation:
		return text + " formation"
	case OpenSession:
		id, _, start, _ := cutSession(e.Body)
		return fmt.Sprintf("%s session of %s, start %d", text, id, start>>32)
	}
	if e.Session != 0 {
		text += fmt.Sprintf(" %d.%d", e.Session, e.Request)
	}
	return text + " " + string(e.Body)
}

// saveText shows the changes of a save relative to the previous one.
func (g *testGroup) saveText(h *host, s *Save) string {
	before := h.disk.head
	if n := len(h.unsaved); n > 0 {
		before = h.unsaved[n-1].Head
	}
	var parts []string
	if s.Head.Incarnation != before.Incarnation {
		parts = append(parts, "incarnation")
	}
	if s.Head.Start != before.Start {
		parts = append(parts, fmt.Sprintf("start %d", s.Head.Start>>32))
	}
	if s.Head.Group != before.Group {
		parts = append(parts, "group")
	}
	if s.Head.Known != before.Known {
		parts = append(parts, "a group exists")
	}
	if s.Head.View != before.View {
		parts = append(parts, fmt.Sprintf("view %d", s.Head.View))
	}
	if s.Base != nil {
		parts = append(parts, "log begins after "+stampText(*s.Base))
	}
	if s.From > 0 {
		parts = append(parts, fmt.Sprintf("cut from %d", s.From))
	}
	for i := range s.Entries {
		parts = append(parts, entryText(&s.Entries[i]))
	}
	return strings.Join(parts, ", ")
}

// messageText returns the kind of a message and its nonzero fields; the view is always shown.
func messageText(m Message) string {
	if m, ok := m.(*Relay); ok {
		unheard := ""
		if m.Unheard {
			unheard = " unheard"
		}
		return fmt.Sprintf("Relay %c → %c%s: %s", memberNames[m.From], memberNames[m.To], unheard, messageText(m.Message))
	}
	v := reflect.ValueOf(m).Elem()
	parts := []string{v.Type().Name()}
	for i := range v.NumField() {
		name, f := v.Type().Field(i).Name, v.Field(i)
		switch {
		case hidden[name], f.Type() == reflect.TypeFor[[]Acknowledged](), f.Type() == reflect.TypeFor[[]Report]():
		case name == "Start" && !f.IsZero():
			parts = append(parts, fieldText(name, f.Uint()>>32))
		case name == "Entries":
			parts = append(parts, entriesText(f.Interface().([]Entry)))
		case name == "Prev" && f.Type() == reflect.TypeFor[Viewstamp]():
			parts = append(parts, "after="+stampText(f.Interface().(Viewstamp)))
		case !f.IsZero() || name == "View":
			parts = append(parts, fieldText(name, f.Interface()))
		}
	}
	return strings.Join(parts, " ")
}

// hidden holds the fields that are random, or the same in all messages of a test. The command
// "remembers" shows what members know of acknowledgements.
var hidden = map[string]bool{"Nonce": true, "List": true, "Data": true, "Keep": true, "Applied": true}

func fieldText(name string, value any) string {
	name = strings.ToLower(name)
	switch x := value.(type) {
	case GroupID:
		return "exists"
	case Viewstamp:
		return name + "=" + stampText(x)
	case Snapshot:
		return name + "=" + stampText(x.Last)
	case SnapshotID:
		return name + "=" + stampText(x.Last)
	case bool:
		return name
	case []Proposal:
		return proposalsText(x)
	}
	return timeless(fmt.Sprintf("%s=%v", name, value))
}

func entriesText(entries []Entry) string {
	var stamps []string
	for i := range entries {
		stamps = append(stamps, stampText(entries[i].Stamp()))
	}
	return "[" + strings.Join(stamps, " ") + "]"
}

func proposalsText(proposals []Proposal) string {
	var parts []string
	for _, p := range proposals {
		switch p.Kind {
		case OpenSession:
			parts = append(parts, "session")
		default:
			parts = append(parts, fmt.Sprintf("%d.%d floor=%d %s", p.Session, p.Request, p.Floor, p.Body))
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// reasons names the reasons why a primary gives up its role.
var reasons = map[reason]string{noQuorum: "it hears no quorum", diskHung: "its disk hangs", diskFull: "its disk is full", stalled: "the commit number stands", applyHung: "its state machine hangs", handedOver: "handing over"}

// stateText shows the state of a replica.
func stateText(r *Replica) string {
	if r.head.Group == (GroupID{}) {
		return r.phase().String()
	}
	text := map[bool]string{true: "view change", false: "backup"}[r.status == changingView]
	if r.isPrimary() {
		text = "primary"
	}
	if !r.confirmed() {
		text += ", unconfirmed"
	}
	switch {
	case r.viewChange.barred:
		text += ", never to lead it"
	case r.viewChange.best != nil:
		text += ": the best log is " + r.memberID(r.viewChange.owner) + "'s, " + stampText(r.viewChange.best.Last)
	case r.isPrimary() && r.primary.resigned != serving:
		text += ", resigned: " + reasons[r.primary.resigned]
	case r.State().HandingOver:
		text += ", handing over"
	}
	return fmt.Sprintf("view %d, %s", r.head.View, text)
}

// tellState shows a state that has changed.
func (g *testGroup) tellState(h *host) {
	if s := stateText(h.core); s != h.state {
		h.state = s
		g.tell("%s ⇨ %s", h.id, s)
	}
	if p := h.core.problem; p != h.problem {
		h.problem = p
		if p == "" {
			p = "none any more"
		}
		g.tell("%s  problem: %s", h.id, p)
	}
}
