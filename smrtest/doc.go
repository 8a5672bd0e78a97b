// Package smrtest tests your state machine: on its own, against the contract of smr.StateMachine, and
// in simulated groups of replicas that lose messages, disks and primaries in virtual time. Package
// [github.com/smr-go/smr/smrtest/conform] tests transports and detectors.
//
// # Ten minutes with your own machine
//
// Take a state machine that counts:
//
//	type counter struct{ n int }
//
//	func newCounter() *counter { return &counter{} }
//
//	func (c *counter) Apply(smr.Op) []byte            { c.n++; return fmt.Append(nil, c.n) }
//	func (c *counter) Snapshot() (io.WriterTo, error) { return strings.NewReader(fmt.Sprint(c.n)), nil }
//	func (c *counter) Restore(r io.Reader) error      { _, err := fmt.Fscan(r, &c.n); return err }
//
// Is it deterministic, and are its snapshots complete? A test of one line answers that in
// milliseconds:
//
//	func TestCounter(t *testing.T) {
//		ops := [][]byte{[]byte("inc"), []byte("inc"), []byte("inc")}
//		smrtest.TestStateMachine(t, func() smr.StateMachine { return newCounter() }, ops)
//	}
//
// A machine that depends on a clock, a random number or the order of a map, or whose Restore forgets
// a field, works for months until two replicas differ. [TestStateMachine] applies the operations many
// times, under conditions that differ as those of two replicas do. It names the first operation at
// which runs differ, and the rule that is broken.
//
// How does a service behave when machines fail? [New] makes a group of replicas in virtual time, and
// the test decides what happens to them:
//
//	func TestFailover(t *testing.T) {
//		c := smrtest.New(t, 3, newCounter)
//		cl := c.Client()
//		cl.MustPropose([]byte("inc"))
//		old := c.CrashPrimary()             // loses writes that were not synced
//		got := cl.MustPropose([]byte("inc")) // waits, virtually, for the new primary
//		assert.Equal(t, "2", string(got))
//		c.Restart(old)
//		c.Settle()                          // all have caught up, states equal
//	}
//
// Protocol, log and recovery are the real ones; only network, disks and clocks are simulated.
// [Group.Fault] makes any fault that the simulator knows: it pauses and isolates replicas, fills, slows
// and damages disks, and sets clocks wrong. [Group.On] does so at a given moment, for example right
// after a replica's write is durable. The test is the same run every time, and takes milliseconds.
//
// And which failures did the author of the tests not think of? [Explore] chooses them at random: callers
// perform the operations of a workload while faults of all kinds happen, in many runs on all cores.
//
//	var (
//		inc = smrtest.Command("inc", func(*rand.Rand) []byte { return []byte("inc") })
//		get = smrtest.Query("get", func(*rand.Rand) string { return "" }, func(c *counter, _ string) int { return c.n })
//	)
//
//	func TestCounterUnderFaults(t *testing.T) {
//		smrtest.Explore(t, smrtest.Config[*counter]{New: newCounter, Workload: []smrtest.Operation{inc, get}})
//	}
//
// A run is fixed by its seed, and go test tries the same seeds every time. A flag tries new seeds for as
// long as you like:
//
//	go test -run TestCounterUnderFaults -smrtest.time=10m
//
// With a [github.com/anishathalye/porcupine.Model] in [Config] the answers are checked against a
// specification, and not only against the log; an Invariant is checked in every state. [Fuzz] lets Go's
// fuzzer choose the faults.
//
// # Failures
//
// A failing run is reported on stderr at once, with a file that repeats it. Explore then repeats the run
// with fewer operations, faults and replicas for as long as it fails in the same way. That takes at most
// as much work as 100 such runs (-smrtest.shrink). The report has the rule that is broken, the operation
// that broke it, the faults that are needed, the last calls, the last state of each replica, a picture of
// the run for a browser, with a table of the operations and the states before and after them, and the
// command that repeats it. If a Model rejects an answer, the report names the first such operation, its
// caller, the answer, the state of the model and, if one is known, an answer that the model would accept.
// States are shown by the machine's String method, or else by the beginning of the snapshot, if that is
// text; operations are shown by Config.Describe. For example, this is the report for a counter whose
// snapshots lack the name of the last caller:
//
//	broken rule: Restore brings the whole state back
//	op 4, inc "bob": it returned `2, after "bob"`, and on a machine just restored from a snapshot `2, after ""`
//	WriteTo must write, and Restore bring back, whatever state or result depends on; every other field must stay as in a new machine
//
//	after 0.116 s of virtual time in a group of 1 with 2 of 3 operations, found with seed 67651000
//
//	it happens without a fault
//
//	the last calls, and pending ones
//	  0.115 s  inc "bob": `1, after ""` at op 3 by caller 1 at a
//	  0.115 s  inc "bob" by caller 1 at a: no answer yet
//
//	the replicas
//	  a  primary      view 0, log to op 4, committed 4, applied 3, snapshot 0
//	     n=1 last="bob"
//
// The schedule is a text file. Put it into the directory testdata/smrtest/NAME, where NAME is the name of
// the test, and every run of the test runs it first. A schedule holds its operations, so that it fails with
// the same bug whatever else the workload contains. It must also go on to do what it did: if it passes, but
// a fault has no effect any more, or an operation does not begin or not take effect in its order, the test
// fails and says which. So it does if the workload lacks an operation of that name.
//
// # The operations of a schedule
//
// An operation has a time, the replica and the number of its caller, and its name. A command has its body; a
// query has the seed from which Query made it, and its input, which must still be the same:
//
//	at 1.1s call a by 2: put body "x=1" op 4
//	at 1.5s call b by 3: get seed 17 as "get \"x\"" cancel 20ms op 4
//	finally call c by 1001: put body "x=2" op 5
//
// A caller makes one call at a time, so a call may begin later. After "cancel 20ms" it gives up. "op 4" is
// where the command took effect, or the latest op of the state that the query read; only the order counts.
// "finally" are calls that all replicas must answer when all faults have ended. If the bodies of a schedule
// exceed 1 MiB, commands have their seeds too.
//
// # The faults of a schedule
//
// A line of a schedule is a fault: its time, its name, the replica that it strikes, an amount, and a
// duration. A fault without a duration lasts until the fault that ends it, or until all faults end.
// Group.Fault takes a line without the time.
//
//	at 1.2s crash a for 400ms          a's process ends, as by SIGKILL, and restarts after 400 ms; without "for"
//	                                   it stays down; n 3: it crashes again at its third change of the disk
//	power-cut a                        as crash, but unsynced writes are lost or torn; Group.Crash does this
//	crash-in a n 5                     a crash or a power cut in the middle of the fifth change of the disk
//	stop, start a                      it closes in order, as by Replica.Close; it starts
//	pause, resume a                    its process stands still; it continues
//	suspend a                          its machine stands still, and with it its monotonic clock
//	slow-turns a by 2ms                each turn of its loop takes up to 2 ms; 0s ends this, also below
//	hang-apply a for 2s                its state machine hangs: it applies nothing
//	isolate a                          no messages reach it or come from it
//	deafen a                           no messages reach it
//	join a                             ends isolate and deafen
//	cut a b, mend a b                  messages from a do not reach b; they reach it again
//	split of a,c                       no messages pass between these and the others
//	split-one-way of a,c               no messages of these reach the others
//	bridge b of a                      a split, but b is on both sides
//	ring                               each reaches only its neighbors in the list of members
//	slow-link a b by 20ms              messages from a to b take 20 ms longer
//	lossy-link a b losing 250/1000     a quarter of the messages from a to b is lost
//	narrow-link a b n 50000            the link from a to b carries 50,000 bytes a second
//	forge-request a                    a number in the next request that it forwards is a wrong one
//	clock-jump a by -1h                its wall clock jumps
//	slow-disk a by 30ms                its writes take up to 30 ms longer
//	full-disk a n 512, space a         its disk has 512 bytes left; it has space again
//	fail-sync a n 3                    the third sync from now on fails
//	fail-reads, fail-writes a          all reads or all writes of the disk fail
//	no-descriptors a                   no file can be opened
//	rot-log a n 7, rot-head, rot-snapshot
//	                                   a bit flips: in op 7 of its log, in the log's head (n 0 or 1: which
//	                                   of its two copies), or in its latest snapshot
//	lost-in-log a n 7, lost-in-head, lost-in-snapshot
//	                                   a write is missing although the disk had confirmed it
//	misplaced-in-log a n 7, misplaced-in-snapshot
//	                                   another write lies in its place
//	stray-write a                      a copy of an earlier write lies behind the log's end
//	lost-tail a                        it is killed, and the last write of its log is missing
//	remove-folder a n 0                it is killed, and the folder of its log is removed; n 1: of its snapshots
//	older-folder a n 0 for 2s          after 2 s it is killed, and that folder is as it was before
//	others-folder a b n 0              it is killed, and that folder is b's
//	wipe a                             its disk is empty: it stays out of the group
//	foreign-start a b, second-start a  b, or a second a, is started on a's directory by mistake
//	hand-over a b                      a is asked to hand the primary's role over to b; "any": to any
//
// "seed" fixes the random choices of a fault. "from 2s after b sent DoViewChange 1: cut b a" waits, from
// 2 s on, for the first such moment, and happens right after it. [Group.On] lists the moments.
//
// # Limits
//
// Tests show the presence of mistakes, not their absence:
//
//   - State that the given operations do not reach is not tested.
//   - A workload cannot use earlier answers: operations depend on random numbers only. An identifier
//     that Apply chooses must be guessed among few, or chosen by the caller.
//   - Snapshots of one state that vary, as with the order of a map, cannot be compared. Set Digest, or
//     write snapshots in a fixed order.
//   - Simulated machines run on one thread. Snapshots are written while Apply runs, so run
//     TestStateMachine, and groups of conform.NewReal, with the race detector.
//   - A replica that has lost its disk stays out of its group: smr cannot admit it again yet.
package smrtest
