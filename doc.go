// Package smr replicates a deterministic state machine over a few machines, so that a service
// survives the loss of some of them and loses nothing that it has acknowledged.
//
// # The model
//
// A group has up to seven replicas. Each runs the same program, with a [StateMachine] that the user
// writes: a value that is changed by operations, which are bytes, and that returns a result for
// each. One replica, the primary, orders all operations and sends them to the others, the backups.
// An operation is committed once a quorum has it on disk, and then every replica applies it. When
// the primary fails, the others replace it: one view ends and the next begins. A replica that was
// away catches up from the log, or from a snapshot of the state if the log no longer reaches back
// far enough. The protocol is viewstamped replication.
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
//		members := []smr.Member{
//			{ID: "a", Addr: "10.0.0.1:7000"}, {ID: "b", Addr: "10.0.0.2:7000"}, {ID: "c", Addr: "10.0.0.3:7000"},
//		}
//		transport, err := smr.ListenTCP(smr.TCPConfig{Listen: ":7000"})
//		…
//		state := &counter{}
//		replica, err := smr.Start(smr.Config{
//			ID: "a", Members: members, StateMachine: state, Transport: transport, Dir: "data",
//		})
//		…
//		result, err := replica.Propose(ctx, []byte("count"))                       // on any replica
//		err = replica.Read(ctx, smr.Linearizable, func() { fmt.Println(state.n) }) // on any replica
//	}
//
// There is nothing to set up first: the group forms once all its first members are running. Within
// one process, a [Network] takes the place of TCP, as in the example below.
//
// # Guarantees
//
// Of n replicas a majority must be up, have disk space, be able to reach each other, and have kept
// its memory: two of three, three of four or five, four of six or seven. While that holds:
//
//   - An operation whose [Replica.Propose] returned a result survives every later failure, and was
//     applied once, however often it had to be sent. This holds for each call of Propose: calling
//     it again proposes another operation.
//   - All replicas apply the same operations in the same order.
//   - [Linearizable] reads, on any replica, see everything that was acknowledged before they began.
//   - An error of Propose is either [ErrNotApplied], and then the operation neither took effect nor
//     ever will, or [ErrUnknown], and then the context ended or the replica stopped before the
//     outcome was known, or the result was lost ([ErrNoResult]).
//
// These guarantees do not depend on clocks. Time decides only how soon the group goes on after a
// failure. With fewer replicas the group serves only [Local] reads, and [AtLeast] reads that are
// already satisfied. It resumes by itself when enough replicas are back.
//
// A group survives messages that are lost, repeated, delayed, reordered or corrupted; partitions of
// any shape, including one-way partitions; crashes and restarts at any point, even of all replicas
// at once; pauses of any length; power failures that lose or tear unsynced writes; slow and hanging
// disks; and full disks of as many members as it can spare. With more full disks it refuses
// operations, and serves reads. A failed write or sync of the log, or a panic in Apply, stops that one
// replica with an error that reports the cause. Damage in the log is detected, and the replica does
// not start on it ([ErrCorrupt]). A damaged snapshot is detected and not used.
//
// While the replicas of a group are closed and started again one after another, calls on the others
// wait for the next primary and succeed. Addresses of members may change at a restart, even all at
// once; members are identified by their IDs.
//
// # Health
//
// [Replica.Health] reports whether calls would succeed now, how many more members may fail, and the
// state of each member. Problem of [Status] is a sentence that describes the present problem and states
// since when it has lasted. It is empty while calls succeed and the group tolerates as many failures as
// a group of its size can. Logger receives a warning when a problem begins, and a line when it ends.
// Package probes serves health checks over HTTP.
//
// # Limits
//
//   - A group of one or two replicas survives no loss. Use three, or five.
//   - The members of a group cannot be changed yet. A member that lost its directory stays out: it
//     is then in Phase [Outside], Problem of its [Status] reports it, and calls fail with
//     [ErrNoState]. If the log is damaged, [Start] returns [ErrCorrupt]. Either way the others go on
//     without that member, and can survive one failure less.
//   - With [Config.Volatile] a replica keeps its log in memory only. Once stopped, it has lost its
//     memory and stays out too. That suits tests, and state that may be lost with its processes.
//   - Replicas trust each other. The group survives replicas that fail, but not replicas that lie
//     (Byzantine faults), nor state machines that are not deterministic: smrtest.TestStateMachine
//     finds those in tests.
//   - Throughput is that of one primary, and every replica holds the whole state.
//   - File formats and messages carry a version, and may change before v1.
//
// The protocol's rules are in docs/PROTOCOL.md, and docs/FAULTS.md describes each kind of failure
// and names the tests that show how it is handled.
package smr
