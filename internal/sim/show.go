package sim

import (
	"fmt"

	"github.com/smr-go/smr/internal/sim/fault"
	"github.com/smr-go/smr/internal/vsr"
	"github.com/smr-go/smr/internal/words"
)

// show makes text of what stands in a trace.
func show(a any) string {
	switch a := a.(type) {
	case vsr.Message:
		return words.Message(a)
	case *vsr.Save:
		return words.Save(a)
	case vsr.Index:
		return fault.Name(int(a))
	default:
		return fmt.Sprintf("%v", a)
	}
}
