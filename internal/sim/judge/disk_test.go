package judge

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/smr-go/smr/internal/vsr"
)

// S5: a save covers the records before it, unless it replaces them, or is not written at all.
func TestSavesCoverEarlierRecords(t *testing.T) {
	head := vsr.Head{View: 3, Commit: 7}
	d := Disk{Head: head, Last: vsr.Viewstamp{View: 3, Op: 9}}
	base := vsr.Viewstamp{Op: 4}
	for want, saves := range map[vsr.OpNumber][]*vsr.Save{
		5: {{Head: head}},
		9: {{Head: vsr.Head{View: 3, Commit: 8}}},
		6: {{Head: head}, {Head: head, From: 7}},
		4: {{Head: head, Base: &base}},
	} {
		assert.Equal(t, want, d.Covered(5, saves))
	}
	assert.EqualValues(t, 9, d.Covered(5, []*vsr.Save{{Head: head, Entries: make([]vsr.Entry, 1)}}))
}
