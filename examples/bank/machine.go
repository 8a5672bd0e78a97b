package main

import (
	"bytes"
	"errors"
	"io"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"github.com/smr-go/smr"
	"github.com/smr-go/smr/examples/bank/ledger"
)

// command is a change of the ledger in the form of an operation: a method's name and arguments.
type command struct {
	Method   string
	From, To string
	Amount   int64
}

// machine is a smr.StateMachine that applies commands to a ledger. A result is the error of the ledger.
type machine struct{ *ledger.Ledger }

// failures are the errors that a result can be. A result is one byte, the index of its error in the list,
// so the list may only grow at its end.
var failures = []error{nil, ledger.ErrExists, ledger.ErrNoAccount, ledger.ErrNoFunds, ledger.ErrAmount, errCommand}

// errCommand is the result of a command that this program does not know. It is the same on every replica.
var errCommand = errors.New("unknown command: all replicas must run the same version of the bank")

func (m *machine) Apply(op smr.Op) []byte {
	failed := m.run(op.Body)
	for i, err := range failures {
		if failed == err {
			return []byte{byte(i)}
		}
	}
	return nil
}

func (m *machine) run(body []byte) error {
	var c command
	if err := decode(bytes.NewReader(body), &c); err != nil {
		return errCommand
	}
	switch c.Method {
	case "Open":
		return m.Open(c.To)
	case "Deposit":
		return m.Deposit(c.To, c.Amount)
	case "Transfer":
		return m.Transfer(c.From, c.To, c.Amount)
	}
	return errCommand
}

// failure returns the error of a result.
func failure(result []byte) error {
	if len(result) != 1 || int(result[0]) >= len(failures) {
		return errCommand
	}
	return failures[result[0]]
}

// Snapshot copies the ledger, which is fast enough for some 100,000 accounts.
func (m *machine) Snapshot() (io.WriterTo, error) {
	return frozen(m.Balances()), nil
}

func (m *machine) Restore(r io.Reader) error {
	var balances map[string]int64
	if err := decode(r, &balances); err != nil {
		return err
	}
	m.Ledger = ledger.New(balances)
	return nil
}

// frozen is a copy of the balances.
type frozen map[string]int64

func (f frozen) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(encode(map[string]int64(f)))
	return int64(n), err
}

// The keys of maps are sorted, so that equal ledgers have equal snapshots.
var msgpack = func() *codec.MsgpackHandle {
	h := new(codec.MsgpackHandle)
	h.Canonical = true
	return h
}()

func encode(v any) (encoded []byte) {
	codec.NewEncoderBytes(&encoded, msgpack).MustEncode(v)
	return encoded
}

func decode(r io.Reader, v any) error { return codec.NewDecoder(r, msgpack).Decode(v) }
