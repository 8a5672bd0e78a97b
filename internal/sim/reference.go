package sim

import (
	"time"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/internal/contract"
	"github.com/smr-go/smr/internal/sim/judge"
	"github.com/smr-go/smr/internal/vsr"
)

// judged ends the run if the judge returns an error.
func (s *Sim) judged(err error) {
	if err != nil {
		s.broke("", err)
	}
}

// ofMachine returns a breach of a rule of the state machine's contract if err reports that a result or a state is not that
// of the log (11.8), and otherwise err.
func ofMachine(rule contract.Rule, err error) error {
	if v, ok := err.(*judge.Violation); ok && v.Rule == "11.8" {
		return &contract.Broken{Rule: rule.Name, Text: v.Text + "\n" + rule.Remedy, Op: v.Op}
	}
	return err
}

// reference executes the committed log for the judge, on the witness.
type reference struct{ *contract.Witness }

func (r reference) Commit(e *vsr.Entry, executed bool) (result []byte, digest uint64, err error) {
	if executed {
		return r.Execute(opOf(e))
	}
	return nil, 0, nil
}

// opOf returns the operation of a command.
func opOf(e *vsr.Entry) smr.Op {
	return smr.Op{Number: uint64(e.Op), Time: time.Unix(0, e.Time).UTC(), Body: e.Body}
}
