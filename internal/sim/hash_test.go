package sim

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/smr-go/smr/internal/shell"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/wire"
)

// The hash of a run covers contents, not only lengths and numbers.
func TestHashIsOfContents(t *testing.T) {
	prepare := func(s *Sim, text string) {
		m := &vsr.Prepare{Entries: []vsr.Entry{{Op: 1, Kind: vsr.Command, Body: []byte(text)}}}
		p := &process{s: s, h: s.hosts[0]}
		p.Send(shell.Packet{Message: m, Bytes: wire.AppendMessage(nil, s.tag, vsr.Header{}, m)})
	}
	for what, do := range map[string]func(s *Sim, text string){
		"a note":    func(s *Sim, text string) { s.note(0, text, 0) },
		"a message": prepare,
		"a save": func(s *Sim, text string) {
			p := &process{s: s, h: s.hosts[0]}
			p.issued(&vsr.Save{Seq: 1, Entries: []vsr.Entry{{Op: 1, Body: []byte(text)}}})
		},
		"a result": func(s *Sim, text string) {
			s.ended(&Call{Result: []byte(text), at: &process{s: s, h: s.hosts[0]}}, Answered)
		},
		"a value": func(s *Sim, text string) {
			s.ended(&Call{Value: text, at: &process{s: s, h: s.hosts[0]}}, Answered)
		},
	} {
		hash := func(text string) runHash {
			s, err := New(Calm(1), listWork(10, 0, 0), nil)
			require.NoError(t, err)
			do(s, text)
			return s.sum
		}
		assert.Equal(t, hash("append"), hash("append"), what)
		assert.NotEqual(t, hash("append"), hash("remove"), what)
	}
}
