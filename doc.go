// Package smr replicates a deterministic state machine over a few machines, so that a service
// survives the loss of some of them with nothing lost that it ever acknowledged.
//
// # The model
//
// A group has up to seven replicas. Each runs the same program, and in it a [StateMachine] that
// the user writes: a value that changes by operations, which are bytes, and answers each with a
// result. One replica, the primary, puts all operations in one order and sends them to the others,
// the backups; an operation is committed once a quorum has it on disk, and then every replica
// applies it. When the primary is gone, the others choose another one: a view ends and the next
// begins. A replica that was away gets what it missed from the log, or a snapshot of the state
// where the log no longer reaches back. The protocol is viewstamped replication.
//
// A whole program is a state machine and a [Config]:
//
//	type counter struct{ n int }
//
//	func (c *counter) Apply(smr.Op) []byte            { c.n++; return fmt.Append(nil, c.n) }
//	func (c *counter) Snapshot() (io.WriterTo, error) { return strings.NewReader(fmt.Sprint(c.n)), nil }
//	func (c *counter) Restore(r io.Reader) error      { _, err := fmt.Fscan(r, &c.n); return err }
//
//	func main() {
//		members := []smr.Member{{ID: "a", Addr: "10.0.0.1:7000"}, {ID: "b", Addr: "10.0.0.2:7000"}, {ID: "c", Addr: "10.0.0.3:7000"}}
//		transport, err := smr.ListenTCP(smr.TCPConfig{Listen: ":7000"})
//		…
//		state := &counter{}
//		replica, err := smr.Start(smr.Config{ID: "a", Members: members, StateMachine: state, Transport: transport, Dir: "data"})
//		…
//		result, err := replica.Propose(ctx, []byte("count"))                                // on any replica
//		err = replica.Read(ctx, smr.Linearizable, func() { fmt.Println(state.n) }) // on any replica
//	}
//
// There is nothing to set up first: the group forms once all its first members are there. Within
// one process a [Network] takes the place of TCP, as in the example below.
//
// # What is guaranteed
//
// Of n replicas a majority must be up, able to reach each other, and have kept their memory: two of three,
// three of four or five, four of six or seven. As long as that holds:
//
//   - An operation whose [Replica.Propose] returned a result is lost by no later failure, and was
//     applied once, however often it had to be sent. That is per call of Propose: to call it again
//     is another operation.
//   - All replicas apply the same operations in the same order.
//   - [Linearizable] reads, on any replica, see everything that was acknowledged before they began.
//   - An error of Propose is either an [ErrNotApplied], and then the operation never took nor will
//     take effect, or an [ErrUnknown], and then the context ended or the replica stopped too early
//     to know.
//
// Nothing of this depends on clocks: time decides only how soon the group goes on after a failure.
// With fewer replicas the group answers nothing but [Local] and satisfied [AtLeast] reads; it goes
// on by itself when enough of them are back.
//
// Survived are messages that are lost, repeated, delayed, reordered or corrupted; partitions of
// any shape, one-way ones too; crashes and restarts at any point, of all replicas at once too;
// pauses of any length; power cuts that lose or tear what was not synced; full, slow and hanging
// disks. Failed writes and syncs of the log, and panics in Apply, stop the one replica with an
// error that says what happened. Damage in the log is noticed, and the replica does not start on
// it ([ErrCorrupt]); a damaged snapshot is noticed and not used.
//
// # Limits
//
//   - Two replicas survive the loss of none, and one of course neither. Use three, or five.
//   - The members of a group cannot be changed yet. A member that has lost its directory, or whose
//     log is damaged, stays out: its [Status] says so, and the others go on without it.
//   - With [Config.Volatile] a replica keeps its log in memory only: once stopped it is such a member. That
//     suits tests, and state that may be lost with its processes.
//   - Replicas trust each other. One that lies, rather than fails, is not survived (Byzantine
//     faults), nor are state machines that are not deterministic: smrtest.TestStateMachine finds
//     those in tests.
//   - Throughput is that of one primary, and the whole state is on every replica.
//   - File formats and messages carry a version, and may change before v1.
package smr
